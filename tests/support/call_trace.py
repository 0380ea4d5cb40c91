"""Count which files of the product one request goes through, as a reader with an editor would."""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Final, Self

PACKAGES: Final = ("crew_router", "crew_router_langchain")
_GENERATORS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@dataclass
class Trace:
    """The files in the order in which calls entered them.

    A call into another file than the call before is a switch, one into a file that was entered before a return. Leaving a function
    is not counted: a reader who follows a call knows where he came from. Neither is a generator that goes on where it stood,
    except in ``resumed``, which holds every entry.
    """

    files: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    _begun: set[int] = field(default_factory=set)
    _known: dict[CodeType, str | None] = field(default_factory=dict)

    @property
    def entered(self) -> list[str]:
        """Return each file once, in the order of the first visit."""
        return list(dict.fromkeys(self.files))

    @property
    def switches(self) -> int:
        """Return how often a call went into another file than the call before."""
        return _switches(self.files)

    @property
    def returns(self) -> int:
        """Return how many switches went to a file that was visited before."""
        return self.switches - (len(self.entered) - 1)

    @property
    def switches_with_resumptions(self) -> int:
        """Return the switches where a generator that goes on counts as a call too."""
        return _switches(self.resumed)

    def __enter__(self) -> Self:
        """Begin to listen, in every thread that starts from here on too."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code not in self._known:
            self._known[code] = _file_of(code)
        name = self._known[code]
        if name is None:
            return
        self.resumed.append(name)
        if code.co_flags & _GENERATORS:
            # The frame of a generator lives until it ends, so that its address stands for it.
            if id(frame) in self._begun:
                return
            self._begun.add(id(frame))
        self.files.append(name)


def _switches(files: list[str]) -> int:
    return sum(one != other for one, other in itertools.pairwise(files))


def _file_of(code: CodeType) -> str | None:
    """Return the file of a function of the product below its package, ``None`` for any other; comprehensions are no functions."""
    if code.co_name.startswith("<"):
        return None
    for package in PACKAGES:
        at = code.co_filename.rfind(f"/{package}/")
        if at >= 0:
            return code.co_filename[at + 1 :]
    return None
