# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""What providers' error codes and sentences mean: tables, no logic.

``CODES`` are read wherever a body puts them (``code``, ``type``, ``status``, ``reason``, …), in lower case, before the HTTP status:
a 400 may be an empty account, a 403 one refused prompt. ``PHRASES`` are for conditions that come without a code of their own; the
first that is found wins. ``WEAK_CODES`` say no more than a status does and are read when there is none.

Sources are the providers' error references and public reports up to 2026-12-01; ``docs/wire.md`` names what each row was seen in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from crew_router.types.vocabulary import ErrorKind

_BY_KIND: Final[Mapping[ErrorKind, tuple[str, ...]]] = {
    # The account: a key that is wrong, a balance that is used up, an organisation that is closed, a region that is not served.
    ErrorKind.AUTH: (
        # OpenAI and its likes
        "invalid_api_key", "insufficient_quota", "billing_not_active", "billing_hard_limit_reached", "account_deactivated",
        "organization_deactivated", "organization_disabled", "organization_restricted", "project_archived", "ip_not_authorized",
        "unsupported_country_region_territory", "invalid_organization", "mismatched_organization", "mismatched_project",
        "missing_scope", "insufficient_permissions", "account_suspended", "access_terminated",
        # Anthropic
        "authentication_error", "billing_error",
        # Google
        "api_key_invalid", "api_key_expired", "api_key_service_blocked", "api_key_ip_address_blocked", "service_disabled",
        "billing_disabled", "consumer_suspended", "consumer_invalid", "user_project_denied", "unauthenticated", "account_state_invalid",
        # Amazon
        "unrecognizedclientexception", "expiredtokenexception", "expiredtoken", "invalidclienttokenid", "invalidsignatureexception",
        "signaturedoesnotmatch", "incompletesignature", "missingauthenticationtokenexception", "optinrequired", "notauthorized",
        # Moonshot, DeepSeek, Mistral, Groq, Cohere, Together, Fireworks, MiniMax, SiliconFlow, Volcengine
        "invalid_authentication_error", "incorrect_api_key_error", "exceeded_current_quota_error", "insufficient_balance",
        "insufficient_funds", "payment_required", "unauthorized", "invalid_token", "accountoverdueerror", "authenticationerror",
        "invalidaccountstatus", "account_blocked", "spend_limit_reached", "monthly_limit_reached", "credits_exhausted",
        "no_credits", "key_limit_exceeded", "wrong_api_key",
        # Alibaba DashScope
        "invalidapikey", "invalid-api-key", "arrearage", "prepaidbilloverdue", "postpaidbilloverdue", "commoditynotpurchased",
        # Zhipu: wrong token, expired, account locked or in arrears
        "1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1113", "1121", "1309", "1310", "1311",
    ),
    # This model, for this account: unknown, retired, not deployed, not released to it.
    ErrorKind.NOT_FOUND: (
        "model_not_found", "model_not_available", "model_not_exist", "model_decommissioned", "model_deprecated", "model_retired",
        "model_terms_required", "model_permission_denied", "model_permission_blocked_org", "model_permission_blocked_project",
        "deploymentnotfound", "deploymentmodelnotsupported", "invalid_model", "unknown_model", "invalid_model_error", "no_model",
        "model_not_supported", "unsupported_model", "modelnotopen", "modelnotfound", "model_unavailable_for_plan", "modelnotready.retired",
        "invalidendpointormodel.notfound", "invalidendpointormodel.modelidaccessdisabled", "endpoint_not_found", "wrong_model",
        "accessdenied.unpurchased", "model.accessdenied", "not_found_error", "resourcenotfoundexception", "resource_not_found_error",
        "1500", "1211", "1212", "1220", "1221", "1222",  # Mistral; Zhipu
    ),
    # Too many at the moment: another model now, this one later.
    ErrorKind.RATE_LIMIT: (
        "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error", "rate_limited", "too_many_requests", "tokens_exceeded",
        "requests_exceeded", "throttlingexception", "throttling", "throttling.ratequota", "throttling.allocationquota",
        "throttling.burstrate", "throttling.user", "toomanyrequestsexception", "servicequotaexceededexception", "limit_requests",
        "limitexceeded", "limit_burst_rate", "ratelimitreached", "rpm_limit_reached", "tpm_limit_reached", "resource_exhausted",
        "request_limit_exceeded", "ratelimitexceeded.endpointrpmexceeded", "ratelimitexceeded.endpointtpmexceeded",
        "1300", "1302", "1303", "1305", "1308",
    ),
    # The provider has no room, or trouble of its own.
    ErrorKind.OVERLOAD: (
        "overloaded_error", "overloaded", "engine_overloaded_error", "engine_overloaded", "service_tier_capacity_exceeded",
        "capacity_exceeded", "flex_capacity_exceeded", "resource_unavailable", "serviceunavailableexception", "modelnotreadyexception",
        "model_not_ready", "model_loading", "internalserverexception", "slow_down", "server_overloaded", "serveroverloaded",
        "modelstreamerrorexception", "conflictexception", "1312", "3505", "1234",
    ),
    ErrorKind.TIMEOUT: ("modeltimeoutexception", "timeout_error", "deadline_exceeded", "gateway_timeout", "requesttimeout"),
    ErrorKind.CONTEXT_OVERFLOW: (
        "context_length_exceeded", "context_window_exceeded", "exceed_context_size_error", "model_max_prompt_tokens_exceeded",
        "string_above_max_length", "request_too_large", "prompt_too_long", "input_too_long", "context_overflow", "max_tokens_exceeded_input",
        "model_context_window_exceeded", "1261", "1210.length", "3051",
    ),
    ErrorKind.CONTENT_POLICY: (
        "content_policy_violation", "content_filter", "content_filtered", "contentfilter", "responsibleaipolicyviolation",
        "safety_violation", "invalid_prompt", "data_inspection_failed", "datainspectionfailed", "cyber_policy_violation",
        "cyber_policy", "moderation_blocked", "content_moderation", "sensitive_content", "inputtextsensitivecontentdetected",
        "outputtextsensitivecontentdetected", "inputimagesensitivecontentdetected", "sensitivecontentdetected", "image_content_policy_violation",
        "prohibited_content", "blocked_reason_safety", "guardrail_intervened", "guardrail_violation", "prompt_injection_detected",
        "bio_policy", "flagged_input", "content violates usage guidelines", "1301", "1026", "1027",
    ),
    # The server's own model wrote what the server could not read.
    ErrorKind.MALFORMED: (
        "tool_use_failed", "json_validate_failed", "output_parse_failed", "tool_call_parse_failed", "invalid_model_output",
        "modelerrorexception", "model_output_error", "structured_output_failed", "function_call_parse_error", "invalid_tool_call_generated",
    ),
    # What a value of the request says, whichever model reads it.
    ErrorKind.INVALID_REQUEST: (
        "invalid_value", "decimal_above_max_value", "decimal_below_min_value", "integer_below_min_value", "empty_array", "empty_string",
        "missing_required_parameter", "invalid_base64", "invalid_image_format.base64",
    ),
    # May be this model's: another one is asked, and nothing is held against this one.
    ErrorKind.REFUSED: (
        "unsupported_parameter", "unsupported_value", "unknown_parameter", "invalid_function_parameters", "invalid_json_schema",
        "unsupported_content_type", "unsupported_file", "invalid_file", "invalid_image", "invalid_image_url", "invalid_image_format",
        "image_parse_error", "unsupported_image_media_type", "previous_response_not_found", "invalid_encrypted_content",
        "thinking_signature_invalid", "integer_above_max_value", "unsupported_api", "unsupported_operation",
    ),
}  # fmt: skip
CODES: Final[Mapping[str, ErrorKind]] = {code: kind for kind, codes in _BY_KIND.items() for code in codes}

WEAK_CODES: Final[Mapping[str, ErrorKind]] = {
    "server_error": ErrorKind.OVERLOAD,
    "api_error": ErrorKind.OVERLOAD,
    "internal_error": ErrorKind.OVERLOAD,
    "internal_server_error": ErrorKind.OVERLOAD,
    "internal": ErrorKind.OVERLOAD,
    "unavailable": ErrorKind.OVERLOAD,
    "service_unavailable": ErrorKind.OVERLOAD,
    "cancelled": ErrorKind.OVERLOAD,
    "aborted": ErrorKind.OVERLOAD,
    "accessdeniedexception": ErrorKind.AUTH,
    "permission_error": ErrorKind.AUTH,
    "permission_denied": ErrorKind.AUTH,
    "permission_denied_error": ErrorKind.AUTH,
    "forbidden": ErrorKind.AUTH,
    "not_found": ErrorKind.NOT_FOUND,
    "notfounderror": ErrorKind.NOT_FOUND,
    "validationexception": ErrorKind.REFUSED,
    "invalid_request_error": ErrorKind.REFUSED,
    "invalid_argument": ErrorKind.REFUSED,
    "failed_precondition": ErrorKind.REFUSED,
    "bad_request": ErrorKind.REFUSED,
    "bad_request_error": ErrorKind.REFUSED,
    "badrequesterror": ErrorKind.REFUSED,
}
"""Codes that say as much as a status."""


def _words(kind: ErrorKind, *patterns: str) -> tuple[tuple[ErrorKind, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern)) for pattern in patterns)


PHRASES: Final = (
    # What this request names and the provider does not know: an item, a response or a file of another account.
    *_words(
        ErrorKind.REFUSED,
        r"(item|response|file|conversation|container|cached ?content|assistant|thread)s? (with )?(id )?.{0,80}not found", r"no endpoints? (was |were )?found that support",
        r"(tool|function) .{0,60}not found", r"no tool (call|output) found",
    ),
    # One request that is larger than what the account may send in a minute: it would never pass here.
    *_words(ErrorKind.CONTEXT_OVERFLOW, r"request too large for .*tokens per (min|day)", r"reduce the length of (the|your)? ?(messages|prompt|input)"),
    *_words(
        ErrorKind.CONTENT_POLICY,
        r"violat\w+ (of )?(\w+ )?(our |the |its |their )?(\w+ )?(usage|content|safety|acceptable)[- ](usage |use )?(polic|guideline)",
        r"content violates", r"content exists risk", r"content (policy|management policy)\b", r"flagged (as|for|by|because)", r"was flagged",
        r"input is flagged", r"blocked by (our |the )?(\w+ )?(safety|content|moderation|guardrail)", r"(prompt|input|request|response|output|content) (was|were|has been|is) blocked",
        r"inappropriate content", r"sensitive (content|words|information)", r"unsafe (content|input|output)", r"data may contain inappropriate",
        r"safety (check|filter|system|settings)", r"content[_ ]filter", r"deny-?list", r"prompt is potentially (harmful|unsafe)",
        r"responsible ?ai", r"harm_category", r"output blocked by content filtering", r"high[- ]risk content", r"limited access to this content",
    ),
    *_words(
        ErrorKind.CONTEXT_OVERFLOW,
        r"context[_ ](length|window|size|limit)[^.]{0,60}(exceed|overflow|is full|too (small|long|large)|limit)",
        r"(exceed|overflow|larger than|longer than|greater than|more than|over|beyond)\w*[^.]{0,60}context([_ ](length|window|size|limit))?\b",
        r"maximum (context|prompt|input|model|sequence) (length|size|tokens?)", r"max(imum)? (allowed )?(input|prompt) (length|tokens?)",
        r"(prompt|input|message|conversation|request|context)s? (is |are |was )?too (long|large)", r"(prompt|input) exceeds",
        r"too many (total text bytes|(input |prompt )?tokens)(?! per)", r"exceeds the maximum number of tokens", r"input token count",
        r"context (the )?overflows", r"range of input length", r"exceed\w* (the )?(model )?token limit", r"token limit of the model",
        r"(length|number) of (the )?(input|prompt)( tokens)?[^.]{0,40}(exceed|longer|greater|larger)", r"must have less than \d+ tokens",
        r"inputs? tokens? \+ .{0,40}must be <=", r"maximum prompt length", r"maximum context", r"context length of only",
        r"prompt (contains|has|of) \d+ tokens", r"prompt token count of \d+ exceeds", r"requested tokens? \(?\d+\)? exceed",
    ),
    *_words(
        ErrorKind.NOT_FOUND,
        r"(must|needs? to) be verified", r"verif(y|ied) (your )?organi[sz]ation", r"organi[sz]ation (is|has) not (been )?verified",
        r"does not have access to (the )?(\w+ )?model", r"(don't|do not) have access to (the|this) (\w+ )?model", r"no access to (the |this )?model",
        r"model[^.]{0,80}(does not exist|is not found|not found|was not found|has been (retired|removed|deprecated|decommissioned|discontinued|shut ?down|sunset))",
        r"model[^.]{0,80}(is|was) (retired|decommissioned|deprecated|discontinued|no longer (available|supported|served)|end[- ]of[- ]life)",
        r"(no longer|not) (available|supported|served)[^.]{0,20}(model|deployment)", r"reached (the |its )?end of (its )?life", r"is not a chat model",
        r"unknown model", r"invalid model\b", r"model not exist", r"not a valid model", r"no such model", r"model (identifier|id) is invalid", r"model .{0,60}is not (available|supported|enabled|deployed)(?! (with|for) (this|the) (api )?param)",
        r"on-demand throughput isn.t supported", r"marked by provider as legacy", r"use case details have not been submitted",
        r"deployment .{0,40}does not exist", r"matching your data policy", r"try pulling it first", r"requires terms acceptance", r"model .{0,60}not found",
    ),
    *_words(
        ErrorKind.AUTH,
        r"(api|access|secret)[ _-]?key[^.]{0,40}(not valid|invalid|incorrect|expired|missing|wrong|disabled|revoked|not found|leaked)",
        r"(invalid|incorrect|wrong|expired|missing|no) (api|access|x-api|authentication|auth)[ _-]?(key|token|credentials?)", r"invalid (username or password|bearer)",
        r"credit balance", r"(insufficient|not enough|no|out of|low|exhausted|used up|have any|available) (\w+ )?(balance|credits?|funds?)\b", r"insufficient (\w+ )?quota",
        r"requires more credits", r"specified (\w+ )?(api )?usage limit", r"regain access on", r"(spend|spending|usage|billing|monthly|budget|credit) (cap|limit)[^.]{0,40}(reach|exceed|hit)",
        r"(reach|exceed|hit)\w*[^.]{0,40}(spend|spending|billing|monthly|budget|credit|usage) (cap|limit)", r"(hard|monthly|billing) limit (has been )?reached",
        r"(organi[sz]ation|account|project|team|workspace|consumer|user|subscription)[^.]{0,60}(disabled|deactivated|suspended|blocked|banned|archived|overdue|in arrears|terminated|restricted|closed|inactive)",
        r"(country|region|location|territory)[^.]{0,40}(not (supported|available|served|allowed)|unsupported)", r"(not (supported|available|served|allowed)|unsupported)[^.]{0,30}(country|region|location|territory)",
        r"enable billing", r"billing (is |account )?(not |in)active", r"payment (required|method)", r"arrear", r"not authorized to (invoke|access|perform)", r"(is|are) not authorized",
    ),
    *_words(
        ErrorKind.MALFORMED,
        r"failed to call a function", r"model (generated|produced|output|returned)[^.]{0,60}(invalid|malformed|could not be parsed|unparsable|not (be )?(valid|parse))",
        r"(error|failed|unable) (to )?pars(e|ing) (the )?(tool|function)", r"failed to (generate|produce|validate) (valid )?json", r"tool call validation failed",
        r"failed to parse (input at|tool)", r"invalid sequence as part of tooluse",
    ),
)  # fmt: skip
"""Sentences, in lower case, of conditions that come without a code."""

SAYS_SO_OF_ITSELF: Final = re.compile(
    r"supported values|this model|that model|with model|for model|by the model|models? (does|do) not|'model'"
)
"""Words that make an invalid value this model's matter, and not the request's."""

CUT_OFF: Final = ("without sending complete message body", "incomplete chunked read", "incompleteread")
"""An answer had begun to arrive; told apart from a refused connection, because it has been paid for."""

_STATUSES: Final[Mapping[ErrorKind, tuple[int, ...]]] = {
    ErrorKind.AUTH: (401, 402, 403, 407),
    ErrorKind.NOT_FOUND: (404, 405, 410),
    ErrorKind.TIMEOUT: (408, 504, 522, 524),
    ErrorKind.CONTEXT_OVERFLOW: (413,),
    ErrorKind.RATE_LIMIT: (420, 429, 430),
    # States that pass: a conflict, a lock, a dependency that failed, "too early", Groq's flex capacity, a call the server gave up.
    ErrorKind.OVERLOAD: (409, 423, 424, 425, 449, 498, 499),
}
STATUSES: Final[Mapping[int, ErrorKind]] = {status: kind for kind, statuses in _STATUSES.items() for status in statuses}
"""What a status means where no code and no sentence says more; other 4xx are :attr:`ErrorKind.REFUSED`, 5xx an overload."""

CLASSES: Final[Mapping[str, ErrorKind]] = {
    "ContentFilterFinishReasonError": ErrorKind.CONTENT_POLICY,
    "OpenAIRefusalError": ErrorKind.CONTENT_POLICY,
    "LengthFinishReasonError": ErrorKind.TRUNCATED,
    "TimeoutException": ErrorKind.TIMEOUT,
    "APITimeoutError": ErrorKind.TIMEOUT,
    "StreamChunkTimeoutError": ErrorKind.TIMEOUT,
    "ReadTimeoutError": ErrorKind.TIMEOUT,
    "ConnectTimeoutError": ErrorKind.TIMEOUT,
    "TimeoutError": ErrorKind.TIMEOUT,
    "TransportError": ErrorKind.CONNECTION,
    "StreamError": ErrorKind.CONNECTION,
    "APIConnectionError": ErrorKind.CONNECTION,
    "EndpointConnectionError": ErrorKind.CONNECTION,
    "HTTPClientError": ErrorKind.CONNECTION,
    "NoCredentialsError": ErrorKind.AUTH,
    "CredentialRetrievalError": ErrorKind.AUTH,
    "DefaultCredentialsError": ErrorKind.AUTH,
    "JSONDecodeError": ErrorKind.MALFORMED,
    "OutputParserException": ErrorKind.MALFORMED,
    "APIResponseValidationError": ErrorKind.MALFORMED,
    "ResponseValidationError": ErrorKind.MALFORMED,
    "UnicodeDecodeError": ErrorKind.MALFORMED,
    "OSError": ErrorKind.CONNECTION,
}
"""Classes of HTTP and client libraries, by name, in the order of the exception's own ``__mro__``."""
