"""Figures that docs/classification.md states, held on the texts of this repository."""

import importlib.util
import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.classify.lengths import estimate_tokens
from crew_router.decide.classify.risk import risks_of
from crew_router.decide.classify.text import language_of
from crew_router.types import Domain, RoutingRequest

DATA = Path(__file__).parents[4] / "benchmarks" / "classifier"


def rows(name):
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def found(text):
    """Return the risks that are read from patterns alone."""
    return {str(risk) for risk in risks_of(text, Domain.GENERAL)}


def test_secrets_and_personal_data_are_found():
    """At least 95 % of the sensitive texts are recognised for what they are."""
    sensitive = [row for row in rows("risk.jsonl") if row["risk"]]

    recall = sum(row["risk"] in found(row["text"]) for row in sensitive) / len(sensitive)

    assert len(sensitive) >= 300
    assert recall >= 0.95


def test_similar_looking_texts_are_left_alone():
    """At most 1 % of order numbers, identifiers, versions, times, addresses of machines and code is taken for sensitive."""
    harmless = [row["text"] for row in rows("risk.jsonl") if not row["risk"]]

    wrong = sum(bool(found(text)) for text in harmless) / len(harmless)

    assert len(harmless) >= 300
    assert wrong <= 0.01


def test_language_is_recognised():
    """At least 97 % of the prompts are read in the language that their author named."""
    prompts = rows("prompts/author_a.jsonl") + rows("prompts/author_b.jsonl")

    right = sum(language_of(row["text"])[0] == row["language"] for row in prompts) / len(prompts)

    assert right >= 0.97


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("def add(a, b):\n    return a + b\n", 13),
        ("请分析一下这组销售数据的趋势。", 15),
    ],
)
def test_tokens_are_near_those_of_a_tokenizer(text, tokens):
    """The estimate is within a third of what cl100k_base counts."""
    assert estimate_tokens(text) == pytest.approx(tokens, rel=0.34)


def test_number_beside_another_one_is_read_whole():
    """What stands near a time or another number is not cut at the edge of what is looked at."""
    assert found("2026-03-01 10:00:01 INFO got PL53 4123 4525 5238 6890 6182 0841 from form") == {"pii"}


@pytest.fixture
def generator(monkeypatch):
    """The script that makes texts, as a module."""
    spec = importlib.util.spec_from_file_location("risk_texts", DATA / "risk_texts.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "risk_texts", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("field", ["urgency", "needs_retrieval", "content_type"])
def test_readings_by_words_are_right_where_they_say_something(field):
    """On texts written after the words: at least 85 % right, and hardly anything said that is not so."""
    plain = {"urgency": "normal", "needs_retrieval": "False", "content_type": "text"}[field]
    unseen = [row for row in rows("profile_labels.jsonl") if row["part"] == "unseen"]
    said = [(str(row[field]), str(getattr(TextClassifier().classify(RoutingRequest(None, row["text"])), field).value)) for row in unseen]

    marked = [true == read for true, read in said if read != plain]

    assert len(unseen) >= 50
    assert sum(true == read for true, read in said) / len(said) >= 0.85
    assert sum(marked) / len(marked) >= 0.9


def test_generated_texts_are_told_apart(generator):
    """On texts that no pattern was corrected on: recall of at least 95 % for every kind, false alarms of at most 1 %."""
    right = defaultdict(list)
    for each in generator.texts(seed=7):
        right[each.kind if each.risk else "harmless"].append(each.risk in found(each.text) if each.risk else not found(each.text))

    shares = {kind: sum(own) / len(own) for kind, own in right.items()}

    assert set(generator.SENSITIVE) < set(shares)
    assert min(shares.values()) >= 0.95
    assert shares["harmless"] >= 0.99
