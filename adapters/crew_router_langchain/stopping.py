"""Stop words, kept on our side: a wire that does not carry them, or a model that ignores them, changes nothing for the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage



class StopCutter:
    """Cuts a text before its first stop word; what may be the beginning of one is held back."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(word for word in words if word)
        self.found = False
        self._held = ""

    def take(self, text: str) -> str:
        """Take more text and return what certainly stands before a stop word."""
        if self.found or not self.words:
            return "" if self.found else text
        whole = self._held + text
        starts = [at for at in map(whole.find, self.words) if at >= 0]
        if starts:
            self.found, self._held = True, ""
            return whole[: min(starts)]
        keep = max((_beginning(whole, word) for word in self.words), default=0)
        self._held = whole[len(whole) - keep :]
        return whole[: len(whole) - keep]

    def rest(self) -> str:
        """Return what was held back, because nothing more comes."""
        held, self._held = self._held, ""
        return "" if self.found else held


def _beginning(text: str, word: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a word."""
    most = min(len(word) - 1, len(text))
    return next((size for size in range(most, 0, -1) if text.endswith(word[:size])), 0)


def cut_whole(message: BaseMessage, stop: Sequence[str]) -> bool:
    """Cut the text of a whole answer before its first stop word, in place; tell whether one was there."""
    cutter = StopCutter(stop)
    if isinstance(message.content, str):
        message.content = cutter.take(message.content) + cutter.rest()
        return cutter.found
    for block in message.content:
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            block["text"] = cutter.take(block["text"]) + cutter.rest()
    return cutter.found
