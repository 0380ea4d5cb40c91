"""Grading of the recorded answers, as ``benchmarks/recordings`` does it."""

import importlib
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks" / "recordings"


@pytest.fixture
def scripts(monkeypatch):
    """Return a way to import the scripts, which import each other by name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.parametrize(
    ("check", "text", "score"),
    [
        ({"rule": "number", "value": 12}, "7 + 5 = 12", 1.0),
        ({"rule": "number", "value": 1024}, "It is 1,024.", 1.0),
        ({"rule": "number", "value": 10}, "3 * 4 = 12, minus 2. Answer: 10 apples, not 12", 1.0),
        ({"rule": "number", "value": 12}, "twelve", 0.0),
        ({"rule": "choice", "value": "positive", "options": ["positive", "negative"]}, "Positive, not negative.", 1.0),
        ({"rule": "choice", "value": "positive", "options": ["positive", "negative"]}, "negative or positive", 0.0),
        ({"rule": "exact", "values": ["a@b.c"]}, '"A@b.c".', 1.0),
        ({"rule": "exact", "values": ["a@b.c"]}, "The address is a@b.c", 0.0),
        ({"rule": "exact", "values": ["APPLE"], "case": True}, "Apple", 0.0),
        ({"rule": "names", "values": ["Au"]}, "The symbol is Au.", 1.0),
        ({"rule": "names", "values": ["K"]}, "I say ok, k.", 0.0),
        ({"rule": "names", "values": ["Mars"]}, "It is marshland.", 0.0),
        ({"rule": "items", "values": ["a", "b"], "ordered": True}, "a, b", 1.0),
        ({"rule": "items", "values": ["a", "b"], "ordered": True}, "b, a", 0.0),
        ({"rule": "json", "value": {"paid": False, "n": 2}}, '```json\n{"n": 2, "paid": false}\n```', 1.0),
        ({"rule": "json", "value": {"paid": False}}, '{"paid": 0}', 0.0),
        ({"rule": "json", "value": [1]}, "[1", 0.0),
        ({"rule": "points", "patterns": ["storm", "bridge"], "most_words": 5}, "A storm hit.", 0.5),
        ({"rule": "points", "patterns": ["storm"], "most_words": 3}, "A big storm hit us.", 0.0),
    ],
)
def test_each_rule_grades_by_what_was_asked(scripts, check, text, score):
    """Right answers get 1, wrong ones 0, and a summary the share of its points."""
    assert scripts("grade").grade(check, text) == score


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("def add(a, b):\n    return a + b", True),
        ("```python\ndef add(a, b):\n    return a + b\n```\nThis adds.", True),
        ("def add(a, b):\n    return a - b", False),
        ("import os\nos._exit(0)", False),
        ("def add(a, b):\n    return [0] * 10**12", False),
        ("this is no Python", False),
    ],
)
def test_written_code_is_judged_by_running_it(scripts, source, right):
    """Only code that gives the result of every case is right; code that ends its process or takes too much is not."""
    check = {"rule": "code", "name": "add", "cases": [[[1, 2], 3], [[0, 0], 0]]}

    assert scripts("grade").grade(check, source) == float(right)


def test_endless_code_is_ended(scripts, monkeypatch):
    """A loop without an end is stopped by the limit of processor time."""
    monkeypatch.setattr(scripts("run_code"), "SECONDS", 1)

    assert scripts("grade").grade({"rule": "code", "name": "f", "cases": [[[], 1]]}, "def f():\n    while True:\n        pass") == 0.0


def test_tasks_are_many_and_named_once(scripts):
    """There are at least 600 tasks with different names, each with a kind, a difficulty from 1 to 5 and a known rule."""
    tasks = scripts("all_tasks").all_tasks()

    assert len({task.id for task in tasks}) == len(tasks) >= 600
    assert len({task.kind for task in tasks}) >= 10
    assert {task.difficulty for task in tasks} == {1, 2, 3, 4, 5}
    assert len({(task.kind, task.prompt) for task in tasks}) == len(tasks)


def test_a_recording_goes_on_where_it_stopped(scripts, tmp_path):
    """A line that was cut off is dropped, whole ones count as done."""
    out = tmp_path / "raw.jsonl"
    out.write_text(json.dumps({"id": "a", "prompt": "p", "model": "m"}) + '\n{"id": "b", "pro', encoding="utf-8")

    done = scripts("record").finished(out)

    assert done == {("a", "p", "m")}
    assert out.read_text(encoding="utf-8").count("\n") == 1


def test_only_tasks_that_all_models_answered_are_collected(scripts):
    """A task without the answer of one model is left out; prices are as the sizes of the models."""
    collect, tasks = scripts("collect"), scripts("all_tasks").all_tasks()[:2]
    answer = {"text": "x", "input_tokens": 60, "output_tokens": 40, "finish_reason": "stop", "cpu_s": 0.5, "wall_s": 0.6}
    rows = [{"id": task.id, "prompt": task.prompt, "model": model, "answer": answer} for task in tasks for model in collect.BILLIONS]

    graded = collect.graded(rows[:-1])

    assert [row["id"] for row in graded] == [tasks[0].id]
    costs = {model: outcome["cost_usd"] for model, outcome in graded[0]["outcomes"].items()}
    assert costs == pytest.approx({"smollm2-135m": 1.35e-6, "qwen2.5-coder-0.5b": 5e-6, "qwen2.5-coder-1.5b": 1.5e-5})
