"""What a judge is asked and what is read from its words; it sees neither names nor order."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from crew_router.types.prompt import whole_text
from crew_router.types.transport import Payload

_LETTERS: Final = "ABCDEFGHIJ"
_VERDICT: Final = re.compile(
    r"\b(?:best|verdict|answer|winner)\b[^A-Za-z\n]*(?:is|:)?\s*\**\(?([A-J])\b|^\W*([A-J])\W*$", re.IGNORECASE | re.MULTILINE
)
_GRADE: Final = re.compile(r"\b(\d{1,3})\s*(?:%|/\s*100|percent|out of 100)|^\D*(\d{1,3})\D*$", re.MULTILINE)
_MOST_CHARS: Final = 24_000


def choice_payload(payload: Payload, answers: Sequence[str], *, rng: random.Random) -> tuple[Payload, list[int]]:
    """Return the question to a judge of several answers, and which answer stands at which letter.

    The answers come in random order under letters, so that neither a name nor a place speaks for one.
    """
    order = list(range(len(answers)))
    rng.shuffle(order)
    shown = "\n\n".join(f"<answer {_LETTERS[at]}>\n{answers[each]}\n</answer {_LETTERS[at]}>" for at, each in enumerate(order))
    text = (
        "Several answers to one request follow. Decide which one is correct and serves the request best. "
        "Judge the content only. Think briefly, then end with one line: Best: <letter>\n\n"
        f"<request>\n{whole_text(payload)[-_MOST_CHARS:]}\n</request>\n\n{shown}"
    )
    return Payload((text,), parameters={"temperature": 0.0}), order


def chosen(text: str, order: Sequence[int]) -> int | None:
    """Return which answer a judge chose, or ``None`` when its words name none."""
    found = [first or second for first, second in _VERDICT.findall(text)]
    if not found:
        return None
    at = _LETTERS.index(found[-1].upper())
    return order[at] if at < len(order) else None


def grade_payload(payload: Payload, answer: str) -> Payload:
    """Return the question to a judge of one answer."""
    text = (
        "Judge how probable it is that the answer to the request is correct and complete. "
        "Think briefly, then end with one line that holds only a number from 0 to 100.\n\n"
        f"<request>\n{whole_text(payload)[-_MOST_CHARS:]}\n</request>\n\n<answer>\n{answer}\n</answer>"
    )
    return Payload((text,), parameters={"temperature": 0.0})


def graded(text: str) -> float | None:
    """Return the probability that a judge gave, 0..1, or ``None`` when its words hold none."""
    found = [first or second for first, second in _GRADE.findall(text)]
    return min(int(found[-1]), 100) / 100 if found else None
