"""What the consumer of one stream has seen, and what is held back from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from crew_router.execute.policy import StreamPolicy
from crew_router.execute.transport import Piece

_OVERLAP_CHARS = 200
_LEAST_OVERLAP = 2


class Stage:
    """Holds pieces until the stream policy lets them out.

    Args:
        policy: The stream policy.
        hold_chars: Characters that ``buffer`` holds back.
        whole: Hold everything until the end: structured output, and answers nobody streams.
    """

    def __init__(self, policy: StreamPolicy, *, hold_chars: int, whole: bool = False) -> None:
        self._hold = hold_chars if policy is StreamPolicy.BUFFER else 0
        self._whole = whole
        self._held: list[Piece] = []
        self._held_chars = 0
        self._released = False
        self._joint: str | None = None
        self.shown: list[Piece] = []
        self.text = ""

    @property
    def open(self) -> bool:
        """Tell whether the consumer has seen anything."""
        return bool(self.shown)

    def begin(self, *, go_on: bool = False) -> None:
        """Forget what was held of a broken call; ``go_on`` says that the next one continues the text shown."""
        self._held, self._held_chars = [], 0
        self._joint = "" if go_on else None

    def forget(self) -> None:
        """Start over: the consumer was told to forget what it saw."""
        self.shown, self.text, self._released = [], "", False
        self.begin()

    def take(self, piece: Piece) -> Iterator[Piece]:
        """Take a piece and yield what may be shown."""
        if self._joint is not None:
            joined = self._trimmed(piece)
            if joined is None:
                return
            piece = joined
        self._held.append(piece)
        self._held_chars += len(piece.text)
        if self._may_show():
            yield from self._show()

    def end(self) -> Iterator[Piece]:
        """Yield all that is still held, because the answer is whole."""
        if self._joint:
            rest = self._joint[_overlap(self.text, self._joint) :]
            self._joint = None
            self._held.append(Piece(rest))
        self._released = True
        yield from self._show(everything=True)

    def _may_show(self) -> bool:
        if self._whole:
            return False
        self._released = self._released or self._held_chars > self._hold
        return self._released

    def _show(self, *, everything: bool = False) -> Iterator[Piece]:
        # Structured pieces stay until they are whole, and what follows one stays behind it (CONTRACT rule 10).
        while self._held and (everything or not self._held[0].structured):
            piece = self._held.pop(0)
            self._held_chars -= len(piece.text)
            self.shown.append(piece)
            self.text += piece.text
            yield piece

    def _trimmed(self, piece: Piece) -> Piece | None:
        """Return the first piece of a continuation without what it restates, once enough text is there to tell."""
        self._joint = (self._joint or "") + piece.text
        longest = min(len(self.text), _OVERLAP_CHARS)
        if len(self._joint) < longest and piece.finish_reason is None and _may_restate(self.text, self._joint):
            return None
        rest = self._joint[_overlap(self.text, self._joint) :]
        self._joint = None
        return piece if rest == piece.text else dataclasses.replace(piece, text=rest, raw=None)


def _may_restate(shown: str, new: str) -> bool:
    tail, start = shown[-_OVERLAP_CHARS:], new.lstrip()
    return any(tail[at:].startswith(start) for at in _word_starts(tail))


def _overlap(shown: str, new: str) -> int:
    """Return how many characters at the start of ``new`` repeat whole words at the end of ``shown``.

    One repeated word of two letters or more is taken for a restatement, so that a text which really says
    a word twice at the joint loses it once.
    """
    tail, start = shown[-_OVERLAP_CHARS:], new.lstrip()
    indent = len(new) - len(start)
    for at in _word_starts(tail):
        for rest in (tail[at:], tail[at:].rstrip()):
            if len(rest.rstrip()) >= _LEAST_OVERLAP and start.startswith(rest):
                return indent + len(rest)
    return 0


def _word_starts(tail: str) -> Iterator[int]:
    for at, letter in enumerate(tail):
        if not letter.isspace() and (at == 0 or not tail[at - 1].isalnum() or not letter.isalnum()):
            yield at
