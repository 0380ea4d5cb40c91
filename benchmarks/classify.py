"""CPU time of classifying a short and a long text. Aim: under 150 µs for 91 characters and under 400 µs for 9,400.

LiteLLM's classifier took 326 µs and 12.4 ms for these lengths when this project was designed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.classify.difficulty import packaged_difficulty
from crew_router.decide.classify.linear import packaged_model
from crew_router.types import RoutingRequest

_ROOT: Final = Path(__file__).parents[1]
_SHORT: Final = "Write a Python function that merges two sorted lists, keeps duplicates and has type hints.\n"
_LONG_CHARS: Final = 9_400


def main() -> None:
    """Print the least CPU time of the rounds for each length, of the whole profile, of the linear models and of the difficulty."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    long = (_ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")[:_LONG_CHARS]
    classifier, model = TextClassifier(), packaged_model()
    for text in (_SHORT, long):
        request = RoutingRequest(task_description=text)
        whole_s, models_s, difficulty_s = float("inf"), float("inf"), float("inf")
        for _ in range(rounds):
            whole_s = min(whole_s, _cpu_s(lambda request=request: classifier.classify(request)))
            models_s = min(models_s, _cpu_s(lambda text=text: model.read(text)))
            difficulty_s = min(difficulty_s, _cpu_s(lambda text=text: packaged_difficulty().read(text, hard=5.0, unknown=0.1)))
        parts = f"{models_s * 1e6:6.0f} µs of it the linear models, {difficulty_s * 1e6:6.0f} µs the difficulty beside them"
        print(f"{len(text):>6} characters: {whole_s * 1e6:6.0f} µs the profile, {parts} ({difficulty_s / models_s:.2f} of the models)")


def _cpu_s(call: Callable[[], object], times: int = 20) -> float:
    before = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - before) / times


if __name__ == "__main__":
    main()
