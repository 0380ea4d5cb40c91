"""The JSONL mirror: every row but money, no texts unless kept, shared by processes, never in the way."""

import json
import os

import pytest
from storage_samples import attempt, decision, outcome

from crew_router import Router
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.testing import ScriptedModel


@pytest.fixture
def path(tmp_path):
    """The file of a mirror, in a folder that is not there yet."""
    return tmp_path / "analytics" / "ledger.jsonl"


@pytest.fixture
def book(path, tmp_path):
    """A ledger with a mirror."""
    opened = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew", mirror=path)
    yield opened
    opened.close()


def lines(path):
    """Return the rows of a mirror."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def fill(book, number=1):
    """Put one request into a ledger, with the money it cost."""
    book.decided(decision(number, task_description="a zebra"), text="a zebra")
    book.attempted(f"d-{number}", attempt())
    book.finished(outcome(number), answer="a zebra")
    book.audited("override", {"pin": "lab:a"}, at=1.0)
    book.budgets().settle(book.budgets().reserve((Scope("day", 10**9),), 500), 500)
    book.flush()


def test_rows_are_mirrored_without_texts_and_without_money(book, path):
    """Each row is a line with its table; what is not kept in the ledger is not in the file, which is its owner's."""
    fill(book)

    assert sorted(line["table"] for line in lines(path)) == ["attempts", "audit", "decisions", "outcomes"]
    assert "zebra" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_mirror_can_be_taken_in(book, path, tmp_path):
    """Its lines are those of an export."""
    fill(book)
    other = open_ledger(f"sqlite:///{tmp_path}/other.sqlite3", project="crew")

    with path.open() as file:
        assert other.take_in(file) == 3

    assert other.decision("d-1") == book.decision("d-1")
    other.close()


def test_a_file_that_was_moved_away_is_begun_anew(book, path):
    """Programs that rotate logs need tell nobody."""
    fill(book, 1)
    path.rename(path.with_suffix(".old"))

    fill(book, 2)

    assert {line.get("id") or line.get("decision_id") for line in lines(path) if line["table"] != "audit"} == {"d-2"}


def test_trouble_with_the_file_is_counted_and_holds_nothing_up(book, path, caplog):
    """The ledger has every row; health says how many lines are missing and why, the log once."""
    path.parent.write_text("no folder")

    fill(book, 1)
    fill(book, 2)

    assert book.totals()["requests"] == 2
    assert book.health()["mirror"]["lost"] == 8
    assert len(caplog.records) == 1
    path.parent.unlink()
    fill(book, 3)
    assert book.health()["mirror"] == {"lost": 8, "problem": None}
    assert len(lines(path)) == 4


def test_forked_processes_share_the_file(book, path):
    """Lines of several processes stand beside one another, whole."""
    children = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                for number in range(200):
                    book.finished(outcome(1000 * child + number))
                book.flush()
            except BaseException:  # noqa: BLE001 - a child of the test must not go on into pytest
                os._exit(1)
            os._exit(0)
        children.append(pid)

    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len({line["decision_id"] for line in lines(path)}) == 600


def test_configuration_and_environment_name_the_file(tmp_path, monkeypatch):
    """``analytics.jsonl`` and ROUTING_ANALYTICS_PATH reach the ledger of a router."""
    monkeypatch.setenv("ROUTING_ANALYTICS_PATH", str(tmp_path / "env.jsonl"))
    models = {"lab:a": ScriptedModel("yes")}
    for config, name in (({"registry": "none", "analytics": {"jsonl": str(tmp_path / "own.jsonl")}}, "own"), (None, "env")):
        with Router(config, models=models, ledger_url="sqlite://", project="crew") as router:
            router.invoke("Hi")

        assert sorted(line["table"] for line in lines(tmp_path / f"{name}.jsonl")) == ["attempts", "decisions", "outcomes"]
