"""Streamable HTTP: who may call, how often, and how much."""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.auth import BearerAuth
from fastmcp.exceptions import ToolError
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from ports import answering, free_port

from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.testing import FrozenClock
from crew_router_mcp.command import HttpOptions
from crew_router_mcp.http import CallRate, ExpiringJwt, verifier

_ROOT = Path(__file__).resolve().parents[3]
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in (".", "adapters", "mcp_server"))
_TOKEN = "a-token-of-enough-characters"  # noqa: S105 - of this test
_CONFIG = """
registry: none
state: {url: "memory://"}
ledger: {url: "sqlite://"}
models:
  "lab:small": {provider: openai, model: small, base_url: "http://127.0.0.1:9/v1", api_key: none, quality: 0.6,
    price: {input: 0.1, output: 0.4}, context_window: 8000, capabilities: [tools, json, streaming], source: unmeasured}
"""


@pytest.fixture
async def served(tmp_path):
    """Serve HTTP with a token on a free port; return the address and the configuration's file."""
    config = tmp_path / "crew_router.yaml"
    config.write_text(_CONFIG, encoding="utf-8")
    port = free_port()
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": _PATH, "CREW_ROUTER_MCP_TOKEN": _TOKEN}
    words = [sys.executable, "-m", "crew_router_mcp", "--config", str(config), "--http", "--port", str(port)]
    server = await asyncio.create_subprocess_exec(*words, env=environment)
    try:
        await answering(port)
        yield f"http://127.0.0.1:{port}/mcp", config
    finally:
        server.terminate()
        await server.wait()


def _status(url, *, token=None, body=b"{}"):
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=30) as answer:  # noqa: S310 - ours
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (ConnectionError, urllib.error.URLError):  # the server closed before all of it was sent
        return 413


async def test_only_who_has_the_token_may_call(served):
    """Without the token the answer is 401, with it a tool answers; too large a body is 413; a session outlives a reload."""
    url, config = served

    refused = [await asyncio.to_thread(_status, url, token=token) for token in (None, "wrong-token-of-enough-characters")]
    too_large = await asyncio.to_thread(_status, url, token=_TOKEN, body=b" " * (5 * 1024 * 1024))
    async with Client(url, auth=BearerAuth(_TOKEN), init_timeout=60) as client:
        before = (await client.call_tool("suggest_model", {"task": "Say hello."})).structured_content
        config.write_text(_CONFIG.replace('"lab:small"', '"lab:other"'), encoding="utf-8")
        for _ in range(100):
            after = (await client.call_tool("suggest_model", {"task": "Say hello."})).structured_content
            if after["model"] != before["model"]:
                break
            await asyncio.sleep(0.1)

    assert refused == [401, 401]
    assert too_large == 413
    assert (before["model"], after["model"]) == ("lab:small", "lab:other")


def test_others_may_not_reach_a_server_without_a_token(monkeypatch):
    """An address that others can reach needs a token or a key; a short token is refused."""
    monkeypatch.delenv("CREW_ROUTER_MCP_TOKEN", raising=False)
    with pytest.raises(InvalidRequestError, match="CREW_ROUTER_MCP_TOKEN"):
        verifier(HttpOptions("0.0.0.0"))  # noqa: S104 - it is refused
    assert verifier(HttpOptions()) is None
    monkeypatch.setenv("CREW_ROUTER_MCP_TOKEN", "short")
    with pytest.raises(ConfigurationError, match="can be guessed"):
        verifier(HttpOptions())
    with pytest.raises(ConfigurationError, match="cannot be read"):
        verifier(HttpOptions(jwt_key="/no/such/key.pem"))


async def test_web_tokens_have_to_fit_and_to_end(tmp_path):
    """A signed token of the right audience is taken; another audience, another key, and one that is past are not."""
    keys, others = RSAKeyPair.generate(), RSAKeyPair.generate()
    file = tmp_path / "key.pem"
    file.write_text(keys.public_key, encoding="utf-8")

    check = verifier(HttpOptions(jwt_key=str(file), jwt_issuer="https://issuer", jwt_audience="crew-router"))
    good, foreign, past = (
        keys.create_token(issuer="https://issuer", audience="crew-router"),
        others.create_token(issuer="https://issuer", audience="crew-router"),
        keys.create_token(issuer="https://issuer", audience="crew-router", expires_in_seconds=-10),
    )
    other_audience = keys.create_token(issuer="https://issuer", audience="someone")
    endless = keys.create_token(issuer="https://issuer", audience="crew-router", additional_claims={"exp": None})

    assert isinstance(check, ExpiringJwt)
    assert (await check.verify_token(good)) is not None
    assert [await check.verify_token(token) for token in (foreign, past, other_audience, endless)] == [None] * 4


async def test_a_client_that_calls_too_often_is_told_how_long_to_wait():
    """The call over the limit is refused with the seconds to wait; after them it goes through."""
    clock = FrozenClock()
    rate = CallRate(2, clock)

    async def go(_context):
        return "answer"

    answers = [await rate.on_call_tool(None, go), await rate.on_call_tool(None, go)]
    with pytest.raises(ToolError, match="2 a minute are allowed; wait 30 s"):
        await rate.on_call_tool(None, go)
    clock.advance(31)
    answers.append(await rate.on_call_tool(None, go))

    assert answers == ["answer"] * 3
