"""Count which files of the product one request goes through, as a reader with an editor would."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

ROOT = Path(__file__).parents[2]
PACKAGES = ("crew_router", "crew_router_langchain")


@dataclass
class Trace:
    """The files in the order in which calls entered them.

    ``entered`` are different files, ``switches`` calls from one file into another, ``returns`` those into a file that was
    entered before. Leaving a function is not counted: a reader who follows a call knows where he came from.
    """

    files: list[str] = field(default_factory=list)

    @property
    def entered(self) -> list[str]:
        """Return each file once, in the order of the first visit."""
        return list(dict.fromkeys(self.files))

    @property
    def switches(self) -> int:
        """Return how often a call went into another file than the call before."""
        return sum(one != other for one, other in zip(self.files, self.files[1:], strict=False))

    @property
    def returns(self) -> int:
        """Return how many switches went to a file that was visited before."""
        return self.switches - (len(self.entered) - 1)

    def __enter__(self) -> Self:
        """Begin to listen, in every thread that starts from here on too."""
        sys.setprofile(self._note)
        threading.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code.co_name.startswith("<"):
            return
        name = frame.f_code.co_filename
        for package in PACKAGES:
            at = name.rfind(f"/{package}/")
            if at >= 0:
                self.files.append(name[at + 1 :])
                return
