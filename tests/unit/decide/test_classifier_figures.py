"""Figures that docs/classification.md states, held on the texts of this repository."""

import json
from pathlib import Path

import pytest

from crew_router.classify.language import language_of
from crew_router.classify.risk import risks_of
from crew_router.classify.tokens import estimate_tokens
from crew_router.types import Domain

DATA = Path(__file__).parents[3] / "benchmarks" / "classifier"


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
