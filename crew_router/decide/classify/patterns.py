"""Urgency, need of retrieval and kind of content, by words and phrases; their measured errors stand in docs/classification.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from crew_router.types import Urgency

_SAMPLE_CHARS: Final = 600
_WORDS: Final = re.compile(r"[a-zà-öø-ÿ'-]+")
_RETRIEVAL_WORDS: Final = frozenset(
    (
        *("according", "cite", "cited", "citation", "citations", "sources", "references", "latest", "up-to-date", "currently", "today's"),
        *("literature", "handbook", "wiki", "yesterday", "laut", "según", "selon", "według"),
    )
)
_RETRIEVAL_PHRASES: Final = (
    *("based on the ", "based on our ", "based on these ", "look up", "search the web", "search for", "search our", "search the "),
    *("find out", "page number", "give the page", "the docs", "our docs", "knowledge base", "news about", "any news", "last night"),
    *("current price", "this afternoon", "weather in", "weather like", "uploaded", "use the contract", "of the contract", "of the lease"),
    *("policy says", "quote it", "quote the", "our sla", "our contract", "our polic", "our manual", "our tickets", "in the manual"),
)
_URGENT_WORDS: Final = frozenset(
    ("asap", "urgent", "urgently", "immediately", "emergency", "hurry", "dringend", "sofort", "urgente", "pilne")
)
_URGENT_PHRASES: Final = (
    *("right now", "right away", " is down", " are down", "in 5 min", "in 10 min", "deadline in", "starts in"),
    *("on the phone", "on the line", "in der leitung", "alarm is", "in five min", "in ten min", "minutes ago"),
    *("meeting has started", "call started", "срочно", "紧急", "至急"),
)
_URGENT_OPENINGS: Final = ("quick,", "quick:", "quickly", "quick question", "bitte schnell", "schnell", "rápido", "vite", "help!")
_BATCH_WORDS: Final = frozenset(("overnight", "over-night"))
_BATCH_PHRASES: Final = (
    *("no rush", "no hurry", "not urgent", "nothing urgent", "no es urgente", "nicht dringend", "pas urgent", "batch job", "low priority"),
    *("whenever you", "when you have time", "take your time", "by next week", "by next month", "next week are fine", "over the weekend"),
    *("can take until", "nightly job", "this for tonight", "run it tonight", "in bulk"),
    *("end of the month", "keine eile", "bis monatsende", "sin prisa"),
)
_CODE_OPENINGS: Final = (
    *("def ", "class ", "import ", "from ", "function ", "const ", "let ", "#include", "public ", "select ", "diff --git", "@@ "),
    *("func ", "fn ", "#!/"),
)
_CODE_ENDINGS: Final = ("{", "}", "};", ");", "):", "=> {", "->")
_DATA_OPENINGS: Final = ('{"', "[{", "<?xml", '["')
_LEAST_COLUMNS: Final = 4
_LEAST_ROWS: Final = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """The head and the tail of a text in small letters, and its words."""

    text: str
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Sample:
        """Take the sample of a text."""
        short = text if len(text) <= 2 * _SAMPLE_CHARS else f"{text[:_SAMPLE_CHARS]}\n{text[-_SAMPLE_CHARS:]}"
        lowered = short.lower()
        return cls(lowered, frozenset(_WORDS.findall(lowered)))

    def has(self, words: frozenset[str], phrases: tuple[str, ...]) -> bool:
        """Tell whether any of the words or phrases occurs."""
        return not words.isdisjoint(self.words) or any(map(self.text.__contains__, phrases))


def urgency_of(sample: Sample) -> Urgency:
    """Return whether somebody waits for the answer, or nobody does."""
    if sample.has(_BATCH_WORDS, _BATCH_PHRASES):
        return Urgency.BATCH
    urgent = sample.has(_URGENT_WORDS, _URGENT_PHRASES) or sample.text.startswith(_URGENT_OPENINGS)
    return Urgency.INTERACTIVE if urgent else Urgency.NORMAL


def needs_retrieval(sample: Sample) -> bool:
    """Tell whether the answer stands in documents or news that the prompt does not hold."""
    return sample.has(_RETRIEVAL_WORDS, _RETRIEVAL_PHRASES)


def content_type_of(sample: Sample) -> str:
    """Return ``code``, ``data`` or ``text``."""
    if "```" in sample.text:
        return "code"
    lines = [line.strip() for line in sample.text.split("\n")]
    if any(line.startswith(_DATA_OPENINGS) for line in lines):
        return "data"
    opened = sum(line.startswith(_CODE_OPENINGS) and not line.endswith((".", "?", "!")) for line in lines)
    closed = sum(line.endswith(_CODE_ENDINGS) for line in lines)
    query = any(line.startswith("select ") and " from " in line and line.endswith((";", "*/")) for line in lines)
    if query or lines[0].startswith("#!/") or opened + 2 * closed > 1 + (len(lines) == 1):
        return "code"
    return "data" if sum(map(_is_row, lines)) > _LEAST_ROWS else "text"


def _is_row(line: str) -> bool:
    """Tell whether a line looks like a row of a table: prose has a space behind its commas."""
    if max(map(line.count, ",;|\t")) >= _LEAST_COLUMNS - 1:
        return True
    return max(line.count(mark) - line.count(f"{mark} ") for mark in ",;") >= _LEAST_COLUMNS - 2
