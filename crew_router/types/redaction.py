"""The one place that takes secrets out of texts, before they are stored, logged, shown, exported or raised.

Two things are taken out: what looks like a secret, and every configured key and password literally (:func:`remember`). What is
kept of the first kind is the word that says what it was, so that a message still helps. Every pattern runs in linear time: it
begins with a literal or behind a character that cannot be inside it, and what repeats is bounded.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast
from urllib.parse import quote, unquote, urlsplit

REDACTED: Final = "[redacted]"
_LEAST: Final = 6  # characters of a configured key that is looked for: "EMPTY" and "none" are words
_DUMMIES: Final = frozenset({"lm-studio", "ollama", "not-needed", "no-key-required", "unused", "placeholder", "dummy-key", "anything"})
_MOST_CAUSES: Final = 16

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret(?:[-_ ]?(?:access[-_ ]?)?key)?"
    r"|(?:api|access|auth|private|account|shared|subscription)[-_ ]?key"
    r"|(?:access|auth|refresh|session|id|bearer|security|csrf)[-_ ]?token|token|credentials?|client[-_ ]?secret"
    r"|(?:x-)?(?:amz-)?signature|set-cookie|cookie"
)
_WORDS: Final = r"(?:tokens?|auth|authentication|authorization|schemes?|is|was|are|and|or|not|in|for|of|header|keys?|access|credentials?)\b"
_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    # scheme://user:password@host, and a long user alone, which is a token. A password may hold @ itself.
    (re.compile(r"(?<=://)([^\s/@:?#\"'<>]{0,256}):[^\s/?#\"'<>]{1,512}@"), rf"\1:{REDACTED}@"),
    (re.compile(r"(?<=://)[^\s/@:?#\"'<>]{16,512}@"), f"{REDACTED}@"),
    (re.compile(r"(?<![\w-])eyJ[\w-]{4,4096}\.[\w-]{4,8192}(?:\.[\w-]{0,4096}){0,3}"), REDACTED),
    (re.compile(r"(?<![A-Za-z0-9])A(?:KIA|SIA|ROA|IDA|BIA|CCA)[A-Z0-9]{12,32}(?![a-z])"), REDACTED),
    # Authorization: anything. Elsewhere the word behind "Bearer" is a secret unless it is one of prose.
    (
        re.compile(r"(?i)((?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?:[a-z]{2,20}\s{1,4})?[^\s\"',;]{3,4096}"),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"(?i)(?<![A-Za-z0-9])(bearer\s{{1,4}})(?!{_WORDS})[^\s\"',;]{{3,4096}}"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)(?<![A-Za-z0-9])((?:basic|digest|token|apikey)\s{1,4})(?=[^\s\"',;]{0,64}[0-9A-Z=+/])(?-i:(?![A-Z]?[a-z]{1,64}\b(?![=+/])))"
                r"[A-Za-z0-9+/=._~-]{8,4096}"), rf"\1{REDACTED}"),
    (
        re.compile(
            r"(?i)([?&](?:key|sig|code|auth|pass|password|secret|token|api[-_]?key|access[-_]?token|x-amz-[a-z-]{1,30})=)[^\s&\"'#<>]{1,4096}"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk|gsk|xai|ghp|gho|ghs|ghu|hf|r8|nvapi|pplx|glpat|github_pat|xox[abeprs]|ya29|dop_v1|npm|pypi|tgp|fw)"
                r"[-_.](?=[-_.A-Za-z0-9]{0,64}[0-9A-Z])[-_.A-Za-z0-9]{10,512}|AIza[-_A-Za-z0-9]{12,128})"), REDACTED),
)  # fmt: skip
# name=value, name: value, "name": "value"; a value in quotes may hold spaces. What an authorization says is for the patterns above.
_NAMED: Final = re.compile(
    rf"(?i)(?<![A-Za-z0-9])((?:{_NAMES})[\"']?\s{{0,4}}(?:=>|[:=])\s{{0,4}})"
    r"(\"[^\"\n]{1,1024}\"|'[^'\n]{1,1024}'|[^\s\"',;&<>(){}\[\]]{1,4096})"
)
# A text without any of these holds nothing that the patterns would find; looking for them costs a tenth of a pattern.
_TRIGGERS: Final = (
    "://", "eyj", "akia", "asia", "aroa", "aida", "abia", "acca", "bearer", "basic", "digest", "authori", "apikey", "pass", "pwd", "secret",
    "key", "token", "credential", "cookie", "signature", "?sig", "&sig", "?code", "&code", "?auth", "&auth", "x-amz", "sk-", "sk_", "pk-",
    "pk_", "rk_", "xai-", "ghp_", "gho_", "ghs_", "ghu_", "hf_", "r8_", "nvapi-", "pplx-", "glpat-", "_pat_", "xox", "ya29.", "dop_v1",
    "npm_", "pypi-", "tgp_", "fw_", "aiza",
)  # fmt: skip
_NAMES_A_SECRET: Final = re.compile(r"(?i)(?:key|token|secret|passphrase|password|passwd|pwd|credential|authorization)s?$")

_known: tuple[str, ...] = ()
_lock = threading.Lock()


def redacted(text: str) -> str:
    """Return a text without secrets.

    Example:
        >>> redacted("redis://:hunter2@host/0 refused Basic dXNlcjpwYXNz")
        'redis://:[redacted]@host/0 refused Basic [redacted]'
    """
    for secret in _known:
        if secret in text:
            text = text.replace(secret, REDACTED)
    low = text.lower()
    if not any(trigger in low for trigger in _TRIGGERS):
        return text
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _NAMED.sub(_value_out, text)  # last: "token: Bearer abc" has its secret behind two words


def redacted_json(text: str) -> str:
    """Return a JSON text whose strings, names of fields aside, are without secrets."""
    if redacted(text) == text:
        return text
    return json.dumps(_without(json.loads(text), ""), separators=(",", ":"), ensure_ascii=False)


def remember(secrets: Iterable[str | None]) -> None:
    """Take texts out literally from here on, in the forms in which they travel: as they are, in an address, in ``Basic``."""
    global _known  # noqa: PLW0603 - one set a process: what is a secret to one router is one in the log of all
    new = {form for secret in secrets if secret and secret.lower() not in _DUMMIES for form in _forms(secret) if len(form) >= _LEAST}
    with _lock:
        if not new <= set(_known):
            _known = tuple(sorted({*_known, *new}, key=len, reverse=True))  # the longest first: one may hold another


def remember_url(url: str | None) -> None:
    """Take the password of an address out literally, and what ``Basic`` makes of user and password."""
    if not url or "@" not in url:
        return
    user_info = urlsplit(url).netloc.rpartition("@")[0]
    user, _, password = user_info.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}"
    remember((password, unquote(password), base64.b64encode(pair.encode()).decode() if password else None))


def remember_environment(env: Mapping[str, str]) -> None:
    """Take the values of variables out literally whose names say that they are secrets, as ``OPENAI_API_KEY`` does."""
    remember(value for name, value in env.items() if names_a_secret(name))


def names_a_secret(name: str) -> bool:
    """Tell whether the name of a variable, an argument or a header says that its value is secret."""
    return _NAMES_A_SECRET.search(name) is not None


def disarm(error: BaseException) -> BaseException:
    """Take secrets out of an exception of a provider and of what caused it, and return it; tracebacks show its words.

    An exception whose words cannot be changed is replaced by one that has its name and the rest of its words.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _MOST_CAUSES:
        seen.add(id(current))
        _disarm(current)
        following = current.__cause__ or current.__context__
        if following is not None and _holds(following) and not _disarm(following):
            replacement = _stand_in(following)
            current.__cause__, current.__context__ = (replacement if current.__cause__ is following else current.__cause__), replacement
            following = replacement.__cause__
        current = following
    return _stand_in(error) if _holds(error) else error


def logger(name: str) -> logging.Logger:
    """Return a logger whose records are without secrets, the words of an exception too."""
    found = logging.getLogger(name)
    if _CLEAN not in found.filters:
        found.addFilter(_CLEAN)
    return found


class _RedactedCallError(Exception):
    """What a provider raised, by name and words, where its own exception could not be kept."""


class _Clean(logging.Filter):
    """Takes secrets out of records before any handler sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redacted(_FORMATTER.formatException(record.exc_info))
        return True


_CLEAN: Final = _Clean()
_FORMATTER: Final = logging.Formatter()


def _value_out(found: re.Match[str]) -> str:
    quote_mark = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote_mark}{REDACTED}{quote_mark}"


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]


def _without(value: object, name: str) -> object:
    if isinstance(value, str):
        if name and value and re.fullmatch(_NAMES, name, re.IGNORECASE):
            return REDACTED
        return redacted(value)
    if isinstance(value, list):
        return [_without(each, name) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _without(each, key) for key, each in cast("dict[str, object]", value).items()}
    return value


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a provider's class may do anything here
        return ""


def _holds(error: BaseException) -> bool:
    text = _words(error)
    return redacted(text) != text


def _disarm(error: BaseException) -> bool:
    """Change the words of an exception in place; tell whether they are clean by now."""
    if not _holds(error) and all(not isinstance(each, str) or redacted(each) == each for each in error.args):
        return True
    try:
        error.args = tuple(redacted(each) if isinstance(each, str) else each for each in error.args)
        for name, value in list(vars(error).items()):
            if isinstance(value, str):
                setattr(error, name, redacted(value))
    except Exception:  # noqa: BLE001 - as above; what stays is replaced
        return False
    return not _holds(error)


def _stand_in(error: BaseException) -> BaseException:
    instead = _RedactedCallError(f"{type(error).__name__}: {redacted(_words(error))}").with_traceback(error.__traceback__)
    instead.__cause__ = error.__cause__
    return instead
