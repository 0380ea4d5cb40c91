"""Grade the recorded answers and write them as an outcome file: python collect.py RAW.jsonl OUT.jsonl[.gz].

Only tasks that all three models answered are written, in the order of all_tasks.py; none is left out for its result. Answers are
graded anew each time, so that a mended rule needs no new recording.
"""

from __future__ import annotations

import collections
import gzip
import json
import sys
from pathlib import Path
from typing import Any, Final

from all_tasks import all_tasks
from grade import grade

# The price of a model is proportional to its size: 0.10 USD per million tokens, in and out alike, for each billion parameters.
# That is our anchor, of the size of what hosts ask for small open models; the recordings themselves were free.
USD_PER_MILLION_AND_BILLION: Final = 0.10
BILLIONS: Final = {"smollm2-135m": 0.135, "qwen2.5-coder-0.5b": 0.5, "qwen2.5-coder-1.5b": 1.5}
_MILLION: Final = 1e6


def main() -> None:
    """Write the file and say what is in it."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - the script and two files
        sys.exit("say which files: python collect.py RAW.jsonl OUT.jsonl[.gz]")
    raw, out = map(Path, sys.argv[1:])
    rows = graded([json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()])
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    # No time and no name in the header: the same answers give the same bytes.
    out.write_bytes(gzip.compress(text, mtime=0) if out.suffix == ".gz" else text)
    print(f"{len(rows)} tasks, {out.stat().st_size} bytes")
    print(*_shares(rows), sep="\n")


def _shares(rows: list[dict[str, Any]]) -> list[str]:
    """Return the share right of each model on each kind, as rows of a Markdown table."""
    kinds = sorted({row["domain"] for row in rows})
    lines = [f"| kind | tasks | {' | '.join(BILLIONS)} |", "|---" * (len(BILLIONS) + 2) + "|"]
    for name, own in [*((kind, [row for row in rows if row["domain"] == kind]) for kind in kinds), ("all", rows)]:
        right = (sum(row["outcomes"][model]["score"] for row in own) / len(own) for model in BILLIONS)
        lines.append(f"| {name} | {len(own)} | {' | '.join(f'{share:.0%}' for share in right)} |")
    return lines


def graded(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row of the outcome format for each task that every model answered."""
    found: dict[tuple[str, str], dict[str, Any]] = collections.defaultdict(dict)
    for answer in answers:
        found[answer["id"], answer["prompt"]][answer["model"]] = answer["answer"]
    return [
        {
            "id": task.id,
            "domain": task.kind,
            "group": task.group,
            "difficulty": task.difficulty,
            "prompt": task.prompt,
            "check": task.check,
            "outcomes": {model: _outcome(model, task.check, found[task.id, task.prompt][model]) for model in BILLIONS},
        }
        for task in all_tasks()
        if found[task.id, task.prompt].keys() >= BILLIONS.keys()
    ]


def _outcome(model: str, check: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    tokens = answer["input_tokens"] + answer["output_tokens"]
    return {
        "score": round(grade(check, answer["text"]), 3),
        "cost_usd": float(f"{tokens * BILLIONS[model] * USD_PER_MILLION_AND_BILLION / _MILLION:.6g}"),
        "latency_s": answer["cpu_s"],  # the time of one core: the machine was shared, so seconds of the wall clock say little
        "input_tokens": answer["input_tokens"],
        "output_tokens": answer["output_tokens"],
        "finish_reason": answer["finish_reason"],
        "answer": answer["text"],
    }


if __name__ == "__main__":
    main()
