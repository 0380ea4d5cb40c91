"""The closed sets and names that every step shares."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self


class TaskType(StrEnum):
    """What the caller wants done (requirement A2).

    Spelled forms are read leniently: case, spaces and hyphens do not matter, and
    ``code_refactor`` reads as ``refactoring``.

    Example:
        >>> TaskType("Code-Refactor")
        <TaskType.REFACTORING: 'refactoring'>
    """

    REASONING = "reasoning"
    CODE_GENERATION = "code_generation"
    CODE_REVIEW = "code_review"
    PLANNING = "planning"
    ANALYSIS = "analysis"
    DOCUMENTATION = "documentation"
    TESTING = "testing"
    REFACTORING = "refactoring"
    SECURITY_AUDIT = "security_audit"
    TOOL_USE = "tool_use"
    MULTIMODAL = "multimodal"
    LONG_CONTEXT = "long_context"
    COMPLETION = "completion"
    CREATIVE = "creative"
    GENERAL = "general"

    @classmethod
    def _missing_(cls, value: object) -> TaskType | None:
        if not isinstance(value, str):
            return None
        spelled = _plain(value)
        return cls._value2member_map_.get({"code_refactor": "refactoring"}.get(spelled, spelled))  # type: ignore[return-value]  # the map is typed as Enum


class ModelCapability(StrEnum):
    """What a model can do beyond text (requirement A3)."""

    VISION = "vision"
    AUDIO = "audio"
    VIDEO = "video"
    TOOLS = "tools"
    JSON = "json"
    STREAMING = "streaming"
    LONG_CONTEXT = "long_context"
    REASONING = "reasoning"
    DOCUMENTS = "documents"


class Tier(StrEnum):
    """Quality band of a model (requirement D2); ``standard`` and ``mini`` are read as E1 spells them."""

    PREMIUM = "premium"
    BASELINE = "baseline"
    FAST = "fast"
    LOCAL = "local"

    @classmethod
    def _missing_(cls, value: object) -> Tier | None:
        if not isinstance(value, str):
            return None
        spelled = _plain(value)
        return cls._value2member_map_.get({"standard": "baseline", "mini": "fast"}.get(spelled, spelled))  # type: ignore[return-value]  # the map is typed as Enum


class Provider(StrEnum):
    """Providers the project knows by name; the registry takes any other string too."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    GOOGLE = "google_genai"
    MISTRAL = "mistralai"
    COHERE = "cohere"
    DEEPSEEK = "deepseek"
    XAI = "xai"
    BEDROCK = "bedrock_converse"
    AZURE = "azure_openai"
    OPENROUTER = "openrouter"
    LMSTUDIO = "lmstudio"
    OLLAMA = "ollama"
    VLLM = "vllm"


class Urgency(StrEnum):
    """How soon the caller needs the answer."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"


class Domain(StrEnum):
    """Subject of a request."""

    MATHS = "maths"
    CODE = "code"
    SCIENCE = "science"
    LAW = "law"
    MEDICINE = "medicine"
    BUSINESS = "business"
    HUMANITIES = "humanities"
    GENERAL = "general"


class Risk(StrEnum):
    """What makes a request sensitive (requirements D1, D3)."""

    PII = "pii"
    SECRETS = "secrets"
    REGULATED = "regulated"


class Mode(StrEnum):
    """How a decision is carried out."""

    SINGLE = "single"
    CASCADE = "cascade"
    PARALLEL = "parallel"


class ErrorKind(StrEnum):
    """What went wrong with one call to one model; each kind has a stated treatment in ``execute``."""

    RATE_LIMIT = "rate_limit"
    OVERLOAD = "overload"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    INVALID_REQUEST = "invalid_request"
    REFUSED = "refused"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_POLICY = "content_policy"
    MALFORMED = "malformed"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


EFFORT_ORDER: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The names that providers give to reasoning efforts, the least first."""


class ModelRef(str):
    """A model of the registry, ``"provider:name"``, or one of its reasoning efforts, ``"provider:name#effort"``.

    Args:
        text: ``provider:name``; ``provider/name`` is read too. The first of the two
            separators splits, so ``lmstudio:qwen/qwen3`` and ``ollama:llama3:8b`` keep their names. The name ends at the last ``#``.

    Raises:
        ValueError: The text names no provider or no model, or nothing follows its ``#``.

    Example:
        >>> ModelRef("openai/gpt-4o").provider
        'openai'
        >>> ModelRef("openai:gpt-6.1-sol#low").effort
        'low'
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Split at the first separator and check both parts."""
        cut = _first_separator(text)
        if cut <= 0 or cut == len(text) - 1 or text.endswith("#") or text.rfind("#") == cut + 1:
            msg = f"{text!r} is not a model reference. Write 'provider:model' or 'provider:model#effort', for example 'openai:gpt-4o'."
            raise ValueError(msg)
        return super().__new__(cls, f"{text[:cut]}:{text[cut + 1 :]}")

    @property
    def provider(self) -> str:
        """The part before the first colon."""
        return self.partition(":")[0]

    @property
    def name(self) -> str:
        """The part between the first colon and the effort, as the provider calls the model."""
        return self.model.partition(":")[2]

    @property
    def effort(self) -> str | None:
        """The reasoning effort; ``None`` where none is named."""
        return self.rpartition("#")[2] if "#" in self else None

    @property
    def model(self) -> ModelRef:
        """The model without its effort."""
        return str.__new__(ModelRef, self.rpartition("#")[0]) if "#" in self else self

    def at_effort(self, effort: str | None) -> ModelRef:
        """Return the model at an effort; the model alone for ``None``."""
        return self.model if effort is None else str.__new__(ModelRef, f"{self.model}#{effort}")


_SEPARATORS: Final = (":", "/")


def _first_separator(text: str) -> int:
    cuts = [at for at in (text.find(mark) for mark in _SEPARATORS) if at >= 0]
    return min(cuts, default=-1)


def _plain(text: str) -> str:
    return text.strip().lower().replace("-", "_").replace(" ", "_")
