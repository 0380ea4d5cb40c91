# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""Bodies of errors as providers write them, each with what it means: from their error references and from public reports.

A row is (what it is, client package, HTTP status, body, kind). Bodies are shortened, their words are not.
"""

from __future__ import annotations

import json
from typing import Any

from crew_router.types import ErrorKind as Kind


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error", param: str | None = None) -> dict[str, Any]:
    """Return an error of OpenAI and its likes."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    """Return an error of Anthropic."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Return an error of Google."""
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def openrouter(code: int, message: str, **metadata: Any) -> dict[str, Any]:
    """Return an error of OpenRouter."""
    return {"error": {"code": code, "message": message, "metadata": metadata}, "user_id": "u"}


def reason(name: str) -> dict[str, Any]:
    """Return Google's detail that names a reason."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": name, "domain": "googleapis.com"}


MODERATED = {"reasons": ["violence"], "flagged_input": "…", "provider_name": "Anthropic"}
UPSTREAM = json.dumps(openai("This model's maximum context length is 8192 tokens.", "context_length_exceeded"))

ACCOUNT = (
    ("no credit", "anthropic", 400, anthropic("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."), Kind.AUTH),
    ("usage cap", "anthropic", 400, anthropic("You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."), Kind.AUTH),
    ("organisation disabled", "anthropic", 400, anthropic("This organization has been disabled."), Kind.AUTH),
    ("quota", "openai", 429, openai("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"), Kind.AUTH),
    ("hard limit", "openai", 400, openai("Billing hard limit has been reached", "billing_hard_limit_reached"), Kind.AUTH),
    ("region", "openai", 403, openai("Country, region, or territory not supported", "unsupported_country_region_territory", "request_forbidden"), Kind.AUTH),
    ("unverified", "openai", 400, openai("Your organization must be verified to stream this model. Please go to: https://platform.openai.com/settings/organization/general", "unsupported_value", param="stream"), Kind.NOT_FOUND),
    ("no access to a model", "openai", 403, openai("Project `proj_x` does not have access to model `gpt-5`", "model_not_found"), Kind.NOT_FOUND),
    ("gemini key", "google_genai", 400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason("API_KEY_INVALID")), Kind.AUTH),
    ("gemini region", "google_genai", 400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), Kind.AUTH),
    ("gemini expired", "google_genai", 400, google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", reason("API_KEY_INVALID")), Kind.AUTH),
    ("xai key", "xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***x. You can obtain an API key from https://console.x.ai."}, Kind.AUTH),
    ("xai credits", "xai", 403, {"code": "The caller does not have permission to execute the specified operation", "error": "Your newly created team doesn't have any credits or licenses yet."}, Kind.AUTH),
    ("deepseek balance", "deepseek", 402, openai("Insufficient Balance", "invalid_request_error", "unknown_error"), Kind.AUTH),
    ("moonshot quota", "openai", 429, openai("Your account is suspended, please check your plan and billing details", None, "exceeded_current_quota_error"), Kind.AUTH),
    ("zhipu balance", "openai", 429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}, Kind.AUTH),
    ("dashscope arrears", "openai", 400, openai("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"), Kind.AUTH),
    ("openrouter credits", "openrouter", 402, openrouter(402, "This request requires more credits, or fewer max_tokens."), Kind.AUTH),
    ("groq organisation", "openai", 400, openai("Organization has been restricted. Please reach out to support.", "organization_restricted"), Kind.AUTH),
    ("gateway's key in a string", "openai", 400, {"error": {"message": "litellm.AuthenticationError: …", "type": None, "param": None, "code": "401"}}, Kind.AUTH),
    ("mistral key", "mistralai", 401, {"message": "Unauthorized", "request_id": "x"}, Kind.AUTH),
)  # fmt: skip

GONE = (
    ("retired", "anthropic", 404, anthropic("model: claude-2.1", "not_found_error"), Kind.NOT_FOUND),
    ("retired", "openai", 404, openai("The model `text-davinci-003` has been deprecated, learn more here", "model_not_found"), Kind.NOT_FOUND),
    ("decommissioned", "openai", 400, openai("The model `llama-3.1-70b` has been decommissioned and is no longer supported.", "model_decommissioned"), Kind.NOT_FOUND),
    ("invalid model", "mistralai", 400, {"object": "error", "message": "Invalid model: mistral-old", "type": "invalid_model", "param": None, "code": "1500"}, Kind.NOT_FOUND),
    ("unknown", "openai", 400, openai("Model Not Exist", "invalid_request_error"), Kind.NOT_FOUND),
    ("unknown", "google_genai", 404, google(404, "NOT_FOUND", "models/gemini-1 is not found for API version v1beta, or is not supported for generateContent."), Kind.NOT_FOUND),
    ("azure", "openai", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, Kind.NOT_FOUND),
    ("gone", "openai", 410, openai("Gone", None), Kind.NOT_FOUND),
    ("no such method", "openai", 405, {"detail": "Method Not Allowed"}, Kind.NOT_FOUND),
    ("ollama", "ollama", 404, {"error": "model 'qwen9' not found, try pulling it first"}, Kind.NOT_FOUND),
    ("openrouter", "openrouter", 400, openrouter(400, "foo/bar is not a valid model ID"), Kind.NOT_FOUND),
)  # fmt: skip

FULL = (
    ("llama.cpp", "openai", 400, {"error": {"code": 400, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "invalid_request_error"}}, Kind.CONTEXT_OVERFLOW),
    ("llama.cpp, newer", "openai", 400, {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}}, Kind.CONTEXT_OVERFLOW),
    ("xai", "xai", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 140000 tokens."}, Kind.CONTEXT_OVERFLOW),
    ("vllm", "openai", 400, openai("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", None, "BadRequestError"), Kind.CONTEXT_OVERFLOW),
    ("groq tokens a minute", "openai", 413, openai("Request too large for model `x` in organization `o` on tokens per minute (TPM): Limit 6000, Requested 7000", "rate_limit_exceeded", "tokens"), Kind.CONTEXT_OVERFLOW),
    ("openai tokens a minute", "openai", 429, openai("Request too large for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Requested 60000.", "rate_limit_exceeded", "tokens"), Kind.CONTEXT_OVERFLOW),
    ("gemini", "google_genai", 400, google(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."), Kind.CONTEXT_OVERFLOW),
    ("anthropic", "anthropic", 400, anthropic("input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000"), Kind.CONTEXT_OVERFLOW),
    ("moonshot", "openai", 400, openai("Invalid request: Your request exceeded model token limit: 8192", None), Kind.CONTEXT_OVERFLOW),
    ("mistral", "mistralai", 400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_prompt", "code": "3051"}, Kind.CONTEXT_OVERFLOW),
    ("lm studio", "openai", 400, openai("Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens", None), Kind.CONTEXT_OVERFLOW),
    ("zhipu", "openai", 400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, Kind.CONTEXT_OVERFLOW),
    ("dashscope", "openai", 400, openai("Range of input length should be [1, 98304]", "invalid_parameter_error"), Kind.CONTEXT_OVERFLOW),
    ("gateway with the upstream's body", "openrouter", 400, openrouter(400, "Provider returned error", raw=UPSTREAM, provider_name="X"), Kind.CONTEXT_OVERFLOW),
    ("cohere", "cohere", 400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000."}, Kind.CONTEXT_OVERFLOW),
    ("cerebras", "openai", 400, openai("Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192", "context_length_exceeded"), Kind.CONTEXT_OVERFLOW),
    ("llama.cpp as a server error", "openai", 500, {"error": {"code": 500, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "server_error"}}, Kind.CONTEXT_OVERFLOW),
)  # fmt: skip

POLICY = (
    ("xai", "xai", 403, {"code": "Content violates usage guidelines", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}, Kind.CONTENT_POLICY),
    ("openrouter", "openrouter", 403, openrouter(403, 'openai/gpt-5 requires moderation on X. Your input was flagged for "violence". No credits were charged.', **MODERATED), Kind.CONTENT_POLICY),
    ("openai invalid_prompt", "openai", 400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt", "invalid_prompt"), Kind.CONTENT_POLICY),
    ("deepseek", "deepseek", 400, openai("Content Exists Risk", "invalid_request_error"), Kind.CONTENT_POLICY),
    ("azure", "openai", 400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, Kind.CONTENT_POLICY),
    ("dashscope", "openai", 400, openai("Input data may contain inappropriate content.", "data_inspection_failed"), Kind.CONTENT_POLICY),
    ("zhipu", "openai", 400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}, Kind.CONTENT_POLICY),
    ("moonshot", "openai", 400, openai("The request was rejected because it was considered high risk", None, "content_filter"), Kind.CONTENT_POLICY),
    ("anthropic output", "anthropic", 400, anthropic("Output blocked by content filtering policy"), Kind.CONTENT_POLICY),
    ("cohere deny list", "cohere", 498, {"message": "blocked input: please adjust your input and try again", "reason": "deny-listed"}, Kind.CONTENT_POLICY),
)  # fmt: skip

PASSING = (
    ("conflict", "openai", 409, openai("Conflict", None), Kind.OVERLOAD),
    ("failed dependency", "openai", 424, openai("Failed dependency", None), Kind.OVERLOAD),
    ("too early", "openai", 425, openai("Too early", None), Kind.OVERLOAD),
    ("flex capacity", "openai", 498, openai("Flex tier capacity exceeded", "capacity_exceeded"), Kind.OVERLOAD),
    ("cancelled by the server", "openai", 499, openai("Request was cancelled", None), Kind.OVERLOAD),
    ("overloaded", "anthropic", 529, anthropic("Overloaded", "overloaded_error"), Kind.OVERLOAD),
    ("mistral capacity", "mistralai", 429, {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "service_tier_capacity_exceeded", "code": "3505"}, Kind.OVERLOAD),
    ("moonshot overload", "openai", 429, openai("The engine is currently overloaded, please try again later", None, "engine_overloaded_error"), Kind.OVERLOAD),
    ("gemini", "google_genai", 429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details. Please retry in 34.07s."), Kind.RATE_LIMIT),
    ("openrouter's own 429 in a 200", "openai", 200, openrouter(429, "Rate limit exceeded: free-models-per-min"), Kind.RATE_LIMIT),
    ("azure", "openai", 429, {"error": {"code": "429", "message": "Requests have exceeded call rate limit. Please retry after 6 seconds."}}, Kind.RATE_LIMIT),
)  # fmt: skip

GENERATED = (
    ("groq tool", "openai", 400, openai("Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.", "tool_use_failed"), Kind.MALFORMED),
    ("groq json", "openai", 400, openai("Failed to generate JSON. Please adjust your prompt.", "json_validate_failed"), Kind.MALFORMED),
    ("groq parsing", "openai", 400, openai("Parsing failed. The model generated output that could not be parsed.", "output_parse_failed"), Kind.MALFORMED),
    ("ollama", "ollama", 500, {"error": "error parsing tool call: raw='{\"a\": ', err=unexpected end of JSON input"}, Kind.MALFORMED),
    ("llama.cpp", "openai", 500, {"error": {"code": 500, "message": "Failed to parse input at pos 12", "type": "server_error"}}, Kind.MALFORMED),
)  # fmt: skip

UNKNOWN = (
    ("a sentence nobody knows", "openai", 400, openai("Something about this request is not to our liking.", None), Kind.REFUSED),
    ("validation", "openai", 422, {"detail": [{"loc": ["body", "x"], "msg": "field odd", "type": "value_error"}]}, Kind.REFUSED),
    ("teapot", "openai", 418, {"error": "no"}, Kind.REFUSED),
    ("schema of a tool", "openai", 400, openai("Invalid schema for function 'f': In context=(), 'required' is required to be supplied", "invalid_function_parameters"), Kind.REFUSED),
    ("an item of another account", "openai", 404, openai("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", None), Kind.REFUSED),
    ("foreign reasoning", "openai", 400, openai("The encrypted content gAAA could not be verified.", "invalid_encrypted_content"), Kind.REFUSED),
    ("no endpoint that can", "openrouter", 404, openrouter(404, "No endpoints found that support tool use."), Kind.REFUSED),
    ("foreign signature", "anthropic", 400, anthropic("messages.1.content.0: Invalid `signature` in `thinking` block"), Kind.REFUSED),
)  # fmt: skip

CALLERS = (
    ("a value no model takes", "openai", 400, openai("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 9 instead.", "decimal_above_max_value", param="temperature"), Kind.INVALID_REQUEST),
    ("nothing to read", "openai", 400, openai("Invalid 'messages': empty array. Expected an array with minimum length 1.", "empty_array", param="messages"), Kind.INVALID_REQUEST),
)  # fmt: skip

ERRORS = ACCOUNT + GONE + FULL + POLICY + PASSING + GENERATED + UNKNOWN + CALLERS
