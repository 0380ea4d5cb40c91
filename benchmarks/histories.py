# ruff: noqa: E402, E501 - the path is set before the imports; a client a line
"""Histories that cross: 41 answers of every provider's model, sent on by each of 13 clients, with and without crew-router.

Each answer is parsed by its author's own client from the body of a real-shaped answer; then a user's question, the answer, its tools'
results (one ok, one failed) or another question go to each target, whose server is on loopback and keeps what it was sent. A cell is
without / through crew-router: ``.`` right, ``l`` sources lost, ``L`` text or picture lost, ``E`` on the wire is what the API documents
as an error, ``X`` the client raises before anything is sent, ``N`` crew-router finds that the model cannot take it. Nothing is asked
of a real provider: what is valid stands in ``crossing/rules.py``. Groq is left out where its package is not installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "adapters"), str(ROOT / "tests")]

from crossing.authors import AUTHORS, PNG, URL, Author
from crossing.rules import problems
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from wire_server import Fault, WireServer

from crew_router.errors import CrewRouterError
from crew_router.types import ModelDefinition, ModelRef
from crew_router.types.transport import Payload
from crew_router_langchain.transport import LangChainTransport

TOOLS: Final = [
    {"type": "function", "function": {"name": name, "description": f"{name} something", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}}
    for name in ("find", "look")
]  # fmt: skip
RESULT: Final = "18 degrees"


def client(provider: str, wire: WireServer, **more: Any) -> Any:
    """Return a provider's client on the fake server."""
    from importlib import import_module

    key: dict[str, Any] = {"api_key": "k", "max_retries": 0}
    made: dict[str, Callable[[], Any]] = {
        "openai": lambda: _of("langchain_openai", "ChatOpenAI")(model="fast", base_url=wire.openai_url, **key, **more),
        "anthropic": lambda: _of("langchain_anthropic", "ChatAnthropic")(model="fast", base_url=wire.url, max_tokens=100, **key, **more),
        "google_genai": lambda: _of("langchain_google_genai", "ChatGoogleGenerativeAI")(model="fast", base_url=wire.url, api_key="k", max_retries=1, **more),
        "mistralai": lambda: _of("langchain_mistralai", "ChatMistralAI")(model="fast", base_url=wire.mistral_url, **key, **more),
        "cohere": lambda: _of("langchain_cohere", "ChatCohere")(model="fast", base_url=wire.url, cohere_api_key="k", **more),
        "bedrock_converse": lambda: _bedrock("anthropic.claude-sonnet-4-6", wire, **more),
        "nova": lambda: _bedrock("amazon.nova-pro-v1:0", wire, **more),
        "ollama": lambda: _of("langchain_ollama", "ChatOllama")(model="fast", base_url=wire.url, **more),
        "groq": lambda: _of("langchain_groq", "ChatGroq")(model="fast", base_url=wire.url, **key, **more),
        "deepseek": lambda: _of("langchain_deepseek", "ChatDeepSeek")(model="fast", api_base=wire.openai_url, **key, **more),
        "xai": lambda: _of("langchain_xai", "ChatXAI")(model="fast", xai_api_base=wire.openai_url, **key, **more),
        "openrouter": lambda: _of("langchain_openrouter", "ChatOpenRouter")(model="fast", base_url=wire.openai_url, api_key="k", max_retries=0, **more),
    }  # fmt: skip

    def _of(package: str, name: str) -> Any:
        return getattr(import_module(package), name)

    return made[provider]()


def _bedrock(model: str, wire: WireServer, **more: Any) -> Any:
    from botocore.config import Config
    from langchain_aws import ChatBedrockConverse

    return ChatBedrockConverse(
        model=model, endpoint_url=wire.url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="k",  # noqa: S106 - no secret
        config=Config(retries={"max_attempts": 1}), **more,
    )  # fmt: skip


# Title, client, rules, arguments of the client.
TARGETS: Final = [
    ("OpenAI chat", "openai", "openai", {}), ("OpenAI Resp.", "openai", "responses", {"use_responses_api": True}), ("Claude", "anthropic", "anthropic", {}),
    ("Gemini", "google_genai", "google_genai", {}), ("Mistral", "mistralai", "mistralai", {}), ("Cohere", "cohere", "cohere", {}),
    ("Bedrock Claude", "bedrock_converse", "bedrock", {}), ("Bedrock Nova", "nova", "bedrock", {}), ("Ollama", "ollama", "ollama", {}),
    ("Groq", "groq", "groq", {}), ("DeepSeek", "deepseek", "deepseek", {}), ("xAI", "xai", "xai", {}), ("OpenRouter", "openrouter", "openrouter", {}),
]  # fmt: skip


def answer_of(author: Author, wire: WireServer) -> AIMessage | None:
    """Return an answer as its author's client parses it; ``None`` where its package is not installed."""
    if find_spec(f"langchain_{ {'bedrock_converse': 'aws'}.get(author.provider, author.provider) }") is None:
        return None
    name = "anthropic.claude-sonnet-4-6" if author.provider == "bedrock_converse" else "fast"
    wire.break_model(name, Fault(body=json.dumps(author.body)))
    answer: AIMessage = client(author.provider, wire, **dict(author.more)).invoke("How is Bonn?")
    wire.heal()
    return answer


def history_of(author: Author, answer: AIMessage) -> list[BaseMessage]:
    """Return a conversation that ends where the next model is asked."""
    begun: list[BaseMessage] = [SystemMessage("Be brief."), HumanMessage("How is Bonn?"), answer]
    if not author.calls:
        return [*begun, HumanMessage("And tomorrow?")]
    ids = [call["id"] for call in (*answer.tool_calls, *answer.invalid_tool_calls)]
    good, bad = ToolMessage(RESULT, tool_call_id=ids[0] or ""), ToolMessage("no such place", tool_call_id=ids[1] or "", status="error")
    return [*begun, good, bad]


def plain(target: tuple[Any, ...], history: Sequence[BaseMessage], wire: WireServer) -> str:
    """Send a history by the client alone; return what went wrong before sending, or nothing."""
    try:
        client(target[1], wire, **target[3]).bind_tools(TOOLS).invoke(list(history))
    except Exception:  # noqa: BLE001 - whatever a client raises
        return "" if wire.seen else "X"
    return ""


def routed(target: tuple[Any, ...], history: Sequence[BaseMessage], wire: WireServer, transport: LangChainTransport) -> str:
    """Send a history through crew-router; return what went wrong before sending, or nothing."""
    made = client(target[1], wire, **target[3])
    model = ModelDefinition(ModelRef(f"{target[1]}:fast"), provider=target[1], model="fast", instance=made)
    try:
        transport.fit(Payload(tuple(history), tools=tuple(TOOLS)), model).complete()
    except CrewRouterError:
        return "" if wire.seen else "N"
    except Exception:  # noqa: BLE001 - whatever a client raises
        return "" if wire.seen else "X"
    return ""


def verdict(author: Author, target: tuple[Any, ...], wire: WireServer) -> tuple[str, str]:
    """Return the letter of what was sent, and why."""
    body = wire.seen[0].body
    wrong = problems(target[2], body)
    if wrong:
        return "E", wrong[0]
    sent = json.dumps(body, ensure_ascii=False)
    if author.text and json.dumps(author.text, ensure_ascii=False)[1:-1] not in sent:
        return "L", "the text is lost"
    if author.calls and not (RESULT in sent and "no such place" in sent and '"find"' in sent and '"look"' in sent):
        return "L", "a call or a result is lost"
    if author.picture and PNG[:40] not in sent and "iVBORw0KGgo" not in sent:
        return "L", "the picture is lost"
    return ("l", "the source is lost") if author.cites and URL not in sent else (".", "")


def main() -> None:
    """Print the matrix and its counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--why", action="store_true", help="tell why a cell is not right, routed")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    transport, targets = LangChainTransport(), [target for target in TARGETS if target[1] != "groq" or find_spec("langchain_groq")]
    counts: dict[str, Counter[str]] = {"without": Counter(), "routed": Counter()}
    print("| author's answer | " + " | ".join(target[0] for target in targets) + " |\n|---|" + "---|" * len(targets))
    reasons: list[str] = []
    with WireServer() as wire:
        for author in AUTHORS:
            answer = answer_of(author, wire)
            if answer is None:
                continue
            cells = []
            for target in targets:
                letters = []
                for way in ("without", "routed"):
                    wire.heal()
                    history = history_of(author, answer.model_copy(deep=True))
                    early = plain(target, history, wire) if way == "without" else routed(target, history, wire, transport)
                    letter, why = (early, "") if early else verdict(author, target, wire)
                    counts[way][letter] += 1
                    letters.append(letter)
                    if way == "routed" and letter != ".":
                        reasons.append(f"{author.name} -> {target[0]}: {letter} {why}")
                cells.append("/".join(letters))
            print(f"| {author.name} | " + " | ".join(cells) + " |", flush=True)
    for way, found in counts.items():
        print(
            f"{way}: "
            + ", ".join(f"{letter} {found[letter]}" for letter in (".", "l", "L", "E", "X", "N") if found[letter])
            + f" of {sum(found.values())}"
        )
    if options.why:
        print("\n".join(reasons))


if __name__ == "__main__":
    main()
