"""What the answer's own text gives away: wrong sums, hedging, refusal, an answer cut off at the token limit."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from crew_router.execute.signals.protocol import Drafted

_NUMBER: Final = r"\$?(-?\d+(?:,\d{3})*(?:\.\d+)?)"
_SIGN: Final = "([-+*/x\u00d7\u00f7])"
_SUM: Final = re.compile(rf"(?<![\w.,]){_NUMBER}\s*{_SIGN}\s*{_NUMBER}\s*=\s*{_NUMBER}(?!%|[\d,.]*\d|\s*{_SIGN})")
# What stands before the last two numbers of a longer sum, or inside brackets: such a piece says nothing by itself.
_INSIDE: Final = re.compile(r"[-+*/x\u00d7\u00f7(^]\s*$")
_HEDGES: Final = re.compile(
    r"\b(?:i(?:'m| am) not (?:sure|certain)|i think|i believe|it is unclear|hard to say"
    r"|cannot determine|might be|not enough information)\b",
    re.IGNORECASE,
)
_REFUSALS: Final = re.compile(r"\b(?:i can(?:'|no)t (?:help|assist|answer)|i(?:'m| am) unable to|as an ai)\b", re.IGNORECASE)
# Of sums: measured as log of likelihood ratios on 1,626 GSM8K answers of two models (-1.6 and 0.07) and 363 of three small ones (below
# -4 and 3), benchmarks/calibration.py. The others are guesses, not measured; `train` learns its own from outcomes.
_WRONG_SUM: Final = -1.6
_RIGHT_SUM: Final = 0.1
_HEDGED: Final = -0.5
_REFUSED: Final = -2.5
_CUT: Final = -1.5
_MOST_SUMS: Final = 20
_TOLERANCE: Final = 0.006


def reading(draft: Drafted) -> float | None:
    """Return evidence from reading the answer; sums in it are worked out again."""
    text = draft.reply.text
    if not text:
        return None
    total = _sums(text)
    if _REFUSALS.search(text):
        total += _REFUSED
    elif _HEDGES.search(text):
        total += _HEDGED
    if draft.reply.finish_reason in {"length", "max_tokens"}:
        total += _CUT
    return total


def _sums(text: str) -> float:
    whole = (match for match in _SUM.finditer(text) if not _INSIDE.search(text[max(match.start() - 4, 0) : match.start()]))
    found = islice(whole, _MOST_SUMS)
    checked = [_holds(*match.group(1, 2, 3, 4)) for match in found]
    if not checked:
        return 0.0
    return _RIGHT_SUM if all(checked) else _WRONG_SUM


def _holds(left: str, sign: str, right: str, result: str) -> bool:
    a, b, claimed = (float(number.replace(",", "")) for number in (left, right, result))
    exact = _worked_out(a, b, sign)
    return exact is not None and abs(exact - claimed) <= max(_TOLERANCE, abs(exact) * _TOLERANCE)


def _worked_out(a: float, b: float, sign: str) -> float | None:
    match sign:
        case "+":
            return a + b
        case "-":
            return a - b
        case "/" | "\u00f7":
            return a / b if b else None
        case _:
            return a * b
