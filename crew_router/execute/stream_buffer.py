"""What the consumer of one stream has seen, and what is held back from it."""

from __future__ import annotations

from collections.abc import Iterator

from crew_router.execute.overlap import ContinuationMerger
from crew_router.execute.policy import StreamPolicy
from crew_router.types.transport import Piece


class StreamBuffer:
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
        self._joint: ContinuationMerger | None = None
        self.shown: list[Piece] = []
        self.text = ""

    @property
    def open(self) -> bool:
        """Tell whether the consumer has seen anything."""
        return bool(self.shown)

    def begin(self, *, go_on: bool = False) -> None:
        """Forget what was held of a broken call; ``go_on`` says that the next one continues the text shown."""
        self._held, self._held_chars = [], 0
        self._joint = ContinuationMerger(self.text) if go_on else None

    def forget(self) -> None:
        """Start over: the consumer was told to forget what it saw."""
        self.shown, self.text, self._released = [], "", False
        self.begin()

    def take(self, piece: Piece) -> Iterator[Piece]:
        """Take a piece and yield what may be shown."""
        pieces = [piece]
        if self._joint is not None:
            joined = self._joint.take(piece)
            if joined is None:
                return
            pieces, self._joint = joined, None
        self._held += pieces
        self._held_chars += sum(len(each.text) for each in pieces)
        if self._may_show():
            yield from self._show()

    def end(self, instead: tuple[Piece, ...] = ()) -> Iterator[Piece]:
        """Yield all that is still held, because the answer is whole; ``instead`` stands for what is structured of it."""
        if instead:
            at = next((at for at, piece in enumerate(self._held) if piece.structured), len(self._held))
            self._held = [*self._held[:at], *instead, *(piece for piece in self._held[at:] if not piece.structured)]
        if self._joint is not None:
            self._held += self._joint.end()
            self._joint = None
        self._released = True
        yield from self._show(everything=True)

    def _may_show(self) -> bool:
        if self._whole:
            return False
        self._released = self._released or self._held_chars > self._hold
        return self._released

    def _show(self, *, everything: bool = False) -> Iterator[Piece]:
        # Structured pieces stay until they are whole, and what follows one stays behind it (rule 10).
        while self._held and (everything or not self._held[0].structured):
            piece = self._held.pop(0)
            self._held_chars -= len(piece.text)
            self.shown.append(piece)
            self.text += piece.text
            yield piece
