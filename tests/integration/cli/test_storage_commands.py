"""`crew-router cost`, `export` and `reset` over a ledger with rows."""

import json

import pytest
from storage_samples import decision, outcome
from typer.testing import CliRunner

from crew_router.cli.app import app
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A configuration whose ledger holds two requests and a budget."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    book = open_ledger(url, project="crew")
    for number in range(2):
        book.decided(decision(number))
        book.finished(outcome(number))
    book.budgets().settle(book.budgets().reserve((Scope("day", 10**9),), 500), 500)
    book.close()
    path = tmp_path / "crew_router.yaml"
    path.write_text(f"project: crew\nregistry: none\nledger: {{url: '{url}'}}\nstate: {{url: 'sqlite:///{tmp_path}/state.sqlite3'}}\n")
    return path


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments):
    """Run a command with --json and return what it printed."""
    return json.loads(run(*arguments, "--json").stdout)


def test_cost_shows_what_was_spent(config):
    """By model and task type, and in all."""
    shown = document("cost", "--config", config)

    assert shown["totals"]["cost_usd"] == 0.002
    assert shown["by_model_and_task"][0]["key"] == ["lab:a", "code_generation"]
    assert "lab:a" in run("cost", "--config", config).stdout


def test_reconcile_exits_1_when_an_account_is_wrong_and_repairs_it(config, tmp_path):
    """A sound ledger exits 0, a tampered one 1, and after --repair it is sound again."""
    sound = run("cost", "--reconcile", "--config", config).exit_code
    book = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew")
    with book.database.transaction() as cursor:
        cursor.run("UPDATE accounts SET spent_nano = 7")
    book.close()

    codes = [run("cost", "--reconcile", *more, "--config", config).exit_code for more in ((), ("--repair",), ())]

    assert (sound, codes) == (0, [1, 0, 0])


def test_export_writes_lines(config, tmp_path):
    """Two decisions and two outcomes make four lines; standard output works too."""
    wrote = document("export", tmp_path / "out.jsonl", "--config", config)

    assert wrote["rows"] == 4
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4
    assert len(run("export", "--config", config).stdout.splitlines()) == 4


def test_import_reads_what_export_wrote_once(config, tmp_path):
    """Into another ledger every row is new, a second time none is."""
    document("export", tmp_path / "out.jsonl", "--config", config)
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("ledger.sqlite3", "other.sqlite3"))

    added = [document("import", tmp_path / "out.jsonl", "--config", other)["rows"] for _ in range(2)]

    assert added == [4, 0]
    assert document("cost", "--config", other)["totals"]["requests"] == 2


def test_import_of_something_else_is_one_line(config, tmp_path):
    """The line of the file is named; a file that is not there is wrong use."""
    (tmp_path / "no.jsonl").write_text("{}")

    wrong, missing = run("import", tmp_path / "no.jsonl", "--config", config), run("import", tmp_path / "not.jsonl", "--config", config)

    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (1, 1)
    assert "line 1" in wrong.stderr
    assert (missing.exit_code, len(missing.stderr.splitlines())) == (2, 1)


def test_reset_before_a_time_deletes_when_told(config):
    """Statistics start at that time, and with --delete older rows go."""
    shown = document("reset", "--before", "2100-01-01", "--delete", "--yes", "--config", config)

    assert shown == {"reset": True, "deleted_rows": 4}
    assert document("cost", "--config", config)["totals"]["requests"] == 0


@pytest.mark.parametrize("wrong", [("--delete", "--yes"), ("--before", "soon", "--yes")])
def test_wrong_use_exits_2_with_one_line(config, wrong):
    """What cannot be meant is one line and exit 2."""
    result = run("reset", *wrong, "--config", config)

    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_reset_starts_statistics_afresh(config):
    """Requests recorded so far are no longer counted; money is."""
    code = run("reset", "--yes", "--config", config).exit_code

    assert code == 0
    assert run("cost", "--reconcile", "--config", config).exit_code == 0
