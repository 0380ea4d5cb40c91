"""Outcome files as arrays."""

import gzip
import json

import numpy as np
import pytest

from crew_router.errors import ConfigurationError
from crew_router.evaluate.outcomes import read_outcomes

ROW = {"id": "1", "prompt": "p", "outcomes": {"a": {"score": 1, "cost_usd": 0.1, "answer": ""}, "b": {"score": 0, "latency_s": 36}}}


def written(path, *rows):
    """Write rows as JSON lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_prices_come_from_the_file_or_from_the_latency(tmp_path):
    """A model without a price is priced by the time it took."""
    table = read_outcomes(written(tmp_path / "o.jsonl", ROW), usd_per_hour=10.0)

    assert table.models == ("a", "b")
    assert table.cost_usd.tolist() == [[0.1, pytest.approx(0.1)]]


def test_an_empty_answer_is_an_answer_and_a_missing_one_is_none(tmp_path):
    """An empty text is written as two quotes, so that it is not taken for silence."""
    assert read_outcomes(written(tmp_path / "o.jsonl", ROW)).answers == (('""', None),)


def test_packed_files_are_read(tmp_path):
    """A name that ends in .gz is unpacked."""
    path = tmp_path / "o.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))

    assert len(read_outcomes(path)) == 1


@pytest.mark.parametrize(
    ("text", "said"), [("", "holds no outcome"), ("{", "no JSON"), ('{"prompt": "p"}', "is missing"), ("[1]", "is missing")]
)
def test_a_file_that_means_nothing_is_one_line(tmp_path, text, said):
    """What is wrong is said with the name of the file."""
    path = tmp_path / "o.jsonl"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=said):
        read_outcomes(path)


def test_rows_are_filled_where_each_prompt_went_to_one_model(tmp_path):
    """A missing score is the model's mean, moved by how the prompt went elsewhere; answers are forgotten."""
    rows = [{"prompt": f"p{at}", "outcomes": {"ab"[at % 2]: {"score": float(at > 1), "cost_usd": 0.1, "answer": "x"}}} for at in range(4)]

    table = read_outcomes(written(tmp_path / "o.jsonl", *rows)).filled()

    assert not np.isnan(table.score).any()
    assert not table.has_answers
    assert table.score[0, 1] < table.score[2, 1]
