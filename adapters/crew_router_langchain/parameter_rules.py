# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""Which parameter each provider knows, under which name, and which of its models refuse it: tables, no logic.

Read on 2026-12-01 from the providers' references and the signatures of the clients. A name that no table holds is passed on as it
is: it may be newer than this file, and a refusal is answered by asking again without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_OPENAI: Final = frozenset({
    "temperature", "top_p", "n", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "user", "max_tokens",
    "parallel_tool_calls", "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prediction", "modalities", "audio",
    "verbosity", "safety_identifier", "web_search_options", "reasoning_effort", "reasoning", "include", "truncation", "text", "background",
    "previous_response_id", "stream_usage", "stream_options", "extra_body", "extra_headers", "extra_query", "functions", "function_call",
})  # fmt: skip

KNOWN_TO: Final[Mapping[str, frozenset[str]]] = {
    "openai": _OPENAI,
    "deepseek": _OPENAI - {"n", "logit_bias", "seed", "parallel_tool_calls", "service_tier", "store", "prediction", "modalities", "audio", "verbosity", "user", "metadata"},
    "xai": _OPENAI | {"search_parameters", "deferred"},
    "groq": _OPENAI - {"logit_bias", "logprobs", "top_logprobs"} | {"reasoning_format", "include_reasoning"},
    "openrouter": _OPENAI | {"top_k", "min_p", "top_a", "repetition_penalty", "provider", "models", "route", "plugins", "transforms", "cache_control"},
    "anthropic": frozenset({
        "temperature", "top_p", "top_k", "max_tokens", "metadata", "thinking", "cache_control", "mcp_servers", "betas", "container", "effort",
        "output_config", "context_management", "inference_geo", "extra_headers", "extra_body", "extra_query", "parallel_tool_calls", "reasoning_effort",
        "service_tier", "stream_usage", "speed", "task_budget",
    }),
    "google_genai": frozenset({
        "temperature", "top_p", "top_k", "max_output_tokens", "seed", "frequency_penalty", "presence_penalty", "candidate_count", "safety_settings",
        "cached_content", "thinking_budget", "thinking_level", "include_thoughts", "thinking_config", "generation_config", "response_modalities", "logprobs",
        "response_logprobs", "image_config", "media_resolution", "labels", "reasoning_effort", "tool_config", "response_mime_type", "response_schema",
    }),
    "mistralai": frozenset({
        "temperature", "top_p", "max_tokens", "random_seed", "safe_prompt", "frequency_penalty", "presence_penalty", "n", "parallel_tool_calls",
        "prediction", "prompt_mode", "reasoning_effort",
    }),
    "cohere": frozenset({
        "temperature", "p", "k", "seed", "frequency_penalty", "presence_penalty", "max_tokens", "logprobs", "safety_mode", "documents", "citation_options",
        "thinking", "priority", "strict_tools",
    }),
    "ollama": frozenset({
        "temperature", "top_p", "top_k", "seed", "num_predict", "num_ctx", "repeat_penalty", "repeat_last_n", "mirostat", "mirostat_eta", "mirostat_tau",
        "num_gpu", "num_thread", "tfs_z", "keep_alive", "reasoning", "format", "logprobs", "top_logprobs", "options", "stop",
    }),
    "bedrock_converse": frozenset({
        "temperature", "top_p", "max_tokens", "guardrail_config", "performance_config", "service_tier", "request_metadata", "additional_model_request_fields",
        "additional_model_response_field_paths", "inference_config", "output_config", "reasoning_effort",
    }),
}  # fmt: skip
"""Keyword arguments of a call that each family's client takes to its wire."""

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "mistralai": {"seed": "random_seed"},
    "cohere": {"top_p": "p", "top_k": "k"},
    "google_genai": {"n": "candidate_count"},
    "openai": {"random_seed": "seed", "p": "top_p", "k": "top_k"},
    "anthropic": {"p": "top_p", "k": "top_k"},
    "ollama": {"num_tokens": "num_predict", "repetition_penalty": "repeat_penalty", "p": "top_p", "k": "top_k"},
    "openrouter": {"random_seed": "seed", "p": "top_p", "k": "top_k", "repeat_penalty": "repetition_penalty"},
}
"""The same wish under another name."""

OF_SERVERS_OF_ONES_OWN: Final = frozenset({
    "top_k", "min_p", "top_a", "typical_p", "repetition_penalty", "repeat_penalty", "chat_template_kwargs", "guided_json", "guided_regex",
    "guided_choice", "guided_grammar", "grammar", "best_of", "ignore_eos", "min_tokens", "mirostat", "num_ctx", "ttl", "structured_outputs",
})  # fmt: skip
"""What vLLM, LM Studio, llama.cpp and others read beside OpenAI's parameters; OpenAI's client sends it as part of the body."""

KNOWN_ANYWHERE: Final = frozenset().union(*KNOWN_TO.values(), OF_SERVERS_OF_ONES_OWN, *({*names} for names in RENAMED.values()))

WARMEST: Final[Mapping[str, float]] = {"anthropic": 1.0, "mistralai": 1.5, "cohere": 1.0, "bedrock_converse": 1.0}
"""Highest temperature of providers that stop before OpenAI's 2."""

SAMPLING: Final = ("temperature", "top_p", "top_k")
_PENALTIES: Final = ("frequency_penalty", "presence_penalty")
_LIKELIHOODS: Final = ("logprobs", "top_logprobs", "logit_bias")


@dataclass(frozen=True, slots=True)
class ModelRule:
    """What some models of a family refuse.

    Args:
        models: Their names.
        refused: Parameters that they refuse.
        unless_effort: Efforts with which they take them all the same; ``None`` stands for "none set".
    """

    models: re.Pattern[str]
    refused: tuple[str, ...]
    unless_effort: tuple[str | None, ...] = ()


def _rule(models: str, *refused: str, unless_effort: tuple[str | None, ...] = ()) -> ModelRule:
    return ModelRule(re.compile(models, re.IGNORECASE), refused, unless_effort)


# Claude from Opus 4.7 on; Opus and Sonnet 5, Haiku 5.5, Fable.
_CLAUDE_FIXED: Final = r"claude-(opus-4-[789]|(opus|sonnet|haiku)-([5-9]|\d\d)|fable)"
_CLAUDE_ONE_OF_TWO: Final = r"claude-(opus-4-[1-6]|sonnet-4|haiku-4)"
_OPENAI_REASONING: Final = r"^(openai/)?(o\d|gpt-5(?!(\.\d)?-chat)|gpt-[6-9]|codex)"
_REFUSED_BY_REASONING: Final = ("temperature", "top_p", *_PENALTIES, *_LIKELIHOODS)
MODEL_RULES: Final[Mapping[str, tuple[ModelRule, ...]]] = {
    "openai": (
        _rule(r"^(openai/)?gpt-5\.[1-4](?!.*(-pro|codex|-chat))", "stop", *_REFUSED_BY_REASONING, unless_effort=(None, "none")),
        _rule(r"^(openai/)?gpt-(5\.[56]|6)(?!\.1-|.*(-pro|codex|-chat|astra))", *_REFUSED_BY_REASONING, unless_effort=("none",)),
        _rule(r"^(openai/)?(o\d|gpt-5(-|$)(?!chat)|gpt-5\.\d-pro|gpt-6\.1|gpt-6-astra|.*codex)", *_REFUSED_BY_REASONING),
        _rule(_OPENAI_REASONING, "stop"),
    ),
    "anthropic": (_rule(_CLAUDE_FIXED, *SAMPLING),),
    "bedrock_converse": (_rule(rf"anthropic\.{_CLAUDE_FIXED}", *SAMPLING), _rule(r"nova", "frequency_penalty")),
    "xai": (_rule(r"grok-([4-9]|3-mini|code)(?!.*non-reasoning)", *_PENALTIES, "stop"), _rule(r"grok-4(-0709|-fast|-1-fast|-latest|$)", "reasoning_effort")),
    "deepseek": (),
}  # fmt: skip
ONE_OF_TWO: Final[Mapping[str, re.Pattern[str]]] = {
    "anthropic": re.compile(_CLAUDE_ONE_OF_TWO, re.IGNORECASE),
    "bedrock_converse": re.compile(rf"anthropic\.{_CLAUDE_ONE_OF_TWO}", re.IGNORECASE),
}
"""Models that take temperature or top_p, and not both."""

FORCED_NEVER: Final = re.compile(r"claude-(opus-5-5|sonnet-5-5|fable-5-1)", re.IGNORECASE)
"""Claude that thinks always and never takes a forced tool choice."""
FORCED_WITH_ADAPTIVE: Final = re.compile(r"claude-(opus-4-8|fable-5(?!-1)|sonnet-5(?!-5)|opus-5(?!-5)|haiku-5)", re.IGNORECASE)
"""Claude that takes a forced tool choice beside adaptive thinking."""
THINKS_UNASKED: Final = re.compile(r"deepseek-(v[4-9]|reasoner)", re.IGNORECASE)
"""DeepSeek that thinks unless it is told not to, and refuses a forced tool while it does."""

OPENAI_REASONING: Final = re.compile(_OPENAI_REASONING, re.IGNORECASE)
"""OpenAI's reasoning models: they are spoken to over the Responses API."""

MEANING: Final = frozenset(
    {"tools", "tool_choice", "response_format", "n", "messages", "model", "input", "modalities", "audio", "prediction", "documents"}
)
"""What cannot be left out without changing what is asked."""
