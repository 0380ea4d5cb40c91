"""Read YAML as plain data: dictionaries, lists and scalars; tags, merge keys and duplicate keys are refused.

``yaml.safe_load`` is not used because it builds the whole document before anything can be refused: by then duplicate
keys are lost, aliases may have expanded to gigabytes, and deep nesting may have used up the stack. The parser's events
are read here instead. Scalars follow the YAML 1.2 core schema, so ``no`` is a text and ``1e-5`` a number.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.config.schema.plain import MAX_DEPTH, MAX_INT, Plain, is_text, too_deep
from crew_router.errors import ConfigurationError, printable, shown

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 1 << 20
MAX_EXPANDED: Final = 4 * MAX_BYTES


def read_mapping(path: Path, place: str | None = None) -> dict[str, Plain]:
    """Return the mapping that a YAML (or JSON) file holds.

    Args:
        path: The file.
        place: How errors name it; the path as given by default.

    Raises:
        ConfigurationError: The file is missing, not a regular file, larger than 1 MiB, not UTF-8, not YAML, not one
            mapping, nested deeper than 32 levels, or uses duplicate keys, tags, merge keys or exploding aliases.
    """
    where = place or str(path)
    return parse_mapping(read_text(path, where), where)


def parse_mapping(text: str, place: str) -> dict[str, Plain]:
    """Return the mapping that a YAML text holds; see :func:`read_mapping` for what is refused."""
    import yaml  # only needed when something is loaded

    builder = _Builder(place)
    try:
        for event in _events(text):
            builder.on_event(event)
    except yaml.YAMLError as error:
        raise _syntax(place, error, text=text) from None
    if not builder.started or builder.root is None:
        raise ConfigurationError(place, "", "the file is empty", cure="write at least one key, or {}")
    if not isinstance(builder.root, dict):
        problem = f"the file holds {_kind(builder.root)}, not a mapping"
        raise ConfigurationError(place, "", problem, cure="write 'key: value' lines at the top level")
    return builder.root


def read_text(path: Path, place: str) -> str:
    """Return the text of a configuration file; see :func:`read_mapping` for what is refused."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(place, "", "this is not a regular file", cure="give a YAML file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        cure = "check the path, or leave it out to use the packaged configuration"
        raise ConfigurationError(place, "", "no such file", cure=cure) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(place, "", f"the file cannot be read ({error})", cure="check the path and its permissions") from None
    if len(data) > MAX_BYTES:
        size = max(status.st_size, len(data))
        raise ConfigurationError(place, "", f"the file has {size:,} bytes, the limit is {MAX_BYTES:,} (1 MiB)", cure="split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(place, "", f"line {line} is not UTF-8", cure="save the file as UTF-8") from None


def _events(text: str) -> Iterator[yaml.Event]:
    import yaml  # only needed when something is loaded

    # The C parser is about twenty times faster. PyYAML's wheels contain it; a build without libyaml does not.
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _syntax(place: str, error: yaml.YAMLError, *, text: str) -> ConfigurationError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).partition("\n")[0]
    where = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    line = "" if mark is None else "".join(text.split("\n")[mark.line : mark.line + 1])
    tabbed = "\t" in line[: len(line) - len(line.lstrip())]
    cure = "indent with spaces, not with tabs" if tabbed else "correct the YAML there"
    return ConfigurationError(place, "", f"syntax error{where}: {printable(what)}", cure=cure)


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "a single value"


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet.

    Args:
        node: What was read of it.
        anchor: The name that aliases use for it.
        key: The key whose value comes next, in a mapping.
        size: Characters that it has with all its aliases expanded.
    """

    node: dict[str, Plain] | list[Plain]
    anchor: str | None
    key: str | None = None
    size: int = 1


@dataclass(slots=True)
class _Builder:
    """Builds plain data from parser events, with a stack of its own instead of recursion."""

    place: str
    root: Plain = None
    started: bool = False
    _stack: list[_Open] = field(default_factory=list[_Open])
    _anchors: dict[str, tuple[Plain, int]] = field(default_factory=dict[str, tuple[Plain, int]])

    def on_event(self, event: yaml.Event) -> None:
        """Add what one event of the parser says.

        Raises:
            ConfigurationError: It uses a part of YAML that is not read.
        """
        import yaml  # loaded by the caller

        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            closed = self._stack.pop()
            self._put(closed.node, closed.size, anchor=closed.anchor, line=line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, yaml.DocumentStartEvent):
            if self.started:
                raise self._error(line, "a second document starts", cure="keep one document a file, remove '---'")
            self.started = True

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._refuse_tag(event.tag, line)
        text = str(event.value)
        if not is_text(text):
            raise self._error(line, f"{shown(text)} holds half a character", cure="write whole Unicode characters")
        value = self._resolved(text, line) if event.implicit[0] else text
        if self._wants_key():
            self._key(value, text, line=line)
            return
        self._put(value, len(text) + 1, anchor=event.anchor, line=line)

    def _resolved(self, text: str, line: int) -> Plain:
        try:
            value = resolve_scalar(text)
        except ValueError:
            value = MAX_INT + 1
        if isinstance(value, int) and abs(value) > MAX_INT:
            raise self._error(line, f"the number {shown(text)} is too large", cure="write a smaller one, or quote it")
        return value

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        import yaml  # loaded by the caller

        self._refuse_tag(event.tag, line)
        if self._wants_key():
            raise self._error(line, "a key is a list or mapping", cure="write keys as text")
        if len(self._stack) >= MAX_DEPTH:
            raise too_deep(self.place, f"line {line}")
        node: dict[str, Plain] | list[Plain] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(node, event.anchor))

    def _key(self, value: Plain, text: str, *, line: int) -> None:
        frame = self._stack[-1]
        if not isinstance(value, str):
            raise self._error(line, f"the key {shown(text)} is not text", cure="put it in quotes")
        if value == "<<":
            raise self._error(line, "merge keys (<<) are not read", cure="repeat the keys, or use an alias for a whole value")
        if value in frame.node:
            raise self._error(line, f"the key {shown(value)} stands twice", cure="keep one of the two")
        frame.key = value

    def _alias(self, name: str, line: int) -> None:
        if self._wants_key():
            raise self._error(line, "a key is an alias", cure="write keys as text")
        if name not in self._anchors:
            raise self._error(line, f"the alias {shown(name)} has no finished anchor before it", cure="write the value out")
        value, size = self._anchors[name]
        self._put(value, size, anchor=None, line=line)

    def _put(self, value: Plain, size: int, *, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        frame.size += size
        if frame.size > MAX_EXPANDED:
            raise self._error(line, f"the aliases expand to more than {MAX_EXPANDED:,} characters", cure="write fewer aliases")
        if isinstance(frame.node, list):
            frame.node.append(value)
        else:
            frame.node[str(frame.key)] = value
            frame.key = None

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, dict) and self._stack[-1].key is None

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag is not None:
            raise self._error(line, f"the tag {shown(tag)} is not read", cure="write a plain value")

    def _error(self, line: int, problem: str, *, cure: str) -> ConfigurationError:
        return ConfigurationError(self.place, "", f"line {line}: {problem}", cure=cure)


_WORDS: Final[Mapping[str, Plain]] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_BASED_INT: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve_scalar(text: str) -> Plain:
    """Return what an unquoted scalar means in the YAML 1.2 core schema.

    Raises:
        ValueError: A whole number has more digits than Python converts.

    Example:
        >>> resolve_scalar("1e-5"), resolve_scalar("no")
        (1e-05, 'no')
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED_INT.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
