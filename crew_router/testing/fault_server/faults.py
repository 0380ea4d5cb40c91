"""The faults of the server, each of which was observed on real servers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """One fault; those whose names end in ``_MID`` come after the first chunk of a stream; a plain answer is then cut in half."""

    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    HTML_502 = "html_502"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    CONTEXT = "context"
    POLICY = "policy"
    NO_CREDIT = "no_credit"
    QUOTA = "quota"
    RETIRED = "retired"
    UNKNOWN_REFUSAL = "unknown_refusal"
    CONTEXT_LLAMA = "context_llama"
    POLICY_FORBIDDEN = "policy_forbidden"
    CONFLICT = "conflict"
    TOOL_USE_FAILED = "tool_use_failed"
    REFUSAL = "refusal"
    ERROR_TWICE = "error_twice"
    DROP = "drop"
    HANG = "hang"
    MALFORMED = "malformed"
    NO_CHOICES = "no_choices"
    EMPTY = "empty"
    CONTENT_FILTER = "content_filter"
    BAD_ARGUMENTS = "bad_arguments"
    DROP_MID = "drop_mid"
    MALFORMED_MID = "malformed_mid"
    STALL_MID = "stall_mid"
    ERROR_MID = "error_mid"
    TRUNCATED_MID = "truncated_mid"


TEXTLESS: Final = frozenset({FaultKind.EMPTY, FaultKind.CONTENT_FILTER, FaultKind.REFUSAL})
MID: Final = frozenset(kind for kind in FaultKind if kind.value.endswith("_mid"))
TRANSIENT: Final = (
    FaultKind.RATE_LIMIT, FaultKind.SERVER_ERROR, FaultKind.OVERLOADED, FaultKind.HTML_502, FaultKind.DROP, FaultKind.MALFORMED,
    FaultKind.NO_CHOICES, FaultKind.EMPTY, FaultKind.CONTENT_FILTER, FaultKind.DROP_MID, FaultKind.MALFORMED_MID,
    FaultKind.ERROR_MID, FaultKind.TRUNCATED_MID,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """An HTTP error: status, and OpenAI's type, code and message."""

    status: int
    type: str
    code: str
    message: str


REFUSED: Final = {
    FaultKind.RATE_LIMIT: Refused(429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached, try again later."),
    FaultKind.SERVER_ERROR: Refused(500, "server_error", "internal_error", "The server had an error."),
    FaultKind.OVERLOADED: Refused(529, "overloaded_error", "overloaded", "Overloaded."),
    FaultKind.AUTH: Refused(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    FaultKind.NOT_FOUND: Refused(404, "invalid_request_error", "model_not_found", "The model does not exist."),
    FaultKind.INVALID: Refused(400, "invalid_request_error", "invalid_value", "Invalid value for 'temperature'."),
    FaultKind.CONTEXT: Refused(
        400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 10 tokens."
    ),
    # A 4xx that is not the caller's: the account, this model, the words of other servers, a state that passes.
    FaultKind.NO_CREDIT: Refused(400, "invalid_request_error", "", "Your credit balance is too low to access the API."),
    FaultKind.QUOTA: Refused(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan."),
    FaultKind.RETIRED: Refused(400, "invalid_request_error", "model_decommissioned", "The model has been decommissioned."),
    FaultKind.UNKNOWN_REFUSAL: Refused(400, "invalid_request_error", "", "Something about this request is not to our liking."),
    FaultKind.CONTEXT_LLAMA: Refused(
        400, "exceed_context_size_error", "", "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"
    ),
    FaultKind.POLICY_FORBIDDEN: Refused(403, "", "Content violates usage guidelines", "Content violates usage guidelines."),
    FaultKind.CONFLICT: Refused(409, "conflict", "", "Conflict."),
    FaultKind.TOOL_USE_FAILED: Refused(400, "invalid_request_error", "tool_use_failed", "Failed to call a function."),
    FaultKind.POLICY: Refused(400, "invalid_request_error", "content_policy_violation", "The prompt violates the content policy."),
}
