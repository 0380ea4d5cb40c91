"""Streamable HTTP: who may call, how often, and under which names."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastmcp.exceptions import ResourceError, ToolError
from fastmcp.server.auth import AccessToken, JWTVerifier, TokenVerifier
from fastmcp.server.dependencies import get_access_token, get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.types.clock import Clock, SystemClock

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from crew_router_mcp.command import HttpOptions

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TOKEN_CHARS: Final = 16
_MOST_CLIENTS: Final = 10_000
_MINUTE_S: Final = 60.0


class BearerToken(TokenVerifier):
    """Knows one token by its hash, and compares in constant time.

    Args:
        token: The token.
    """

    def __init__(self, token: str) -> None:
        super().__init__()
        self._digest = _digest(token)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return who may call with a token; ``None`` for a wrong one."""
        if not hmac.compare_digest(_digest(token), self._digest):
            return None
        return AccessToken(token=token, client_id="crew-router-mcp", scopes=[])


class ExpiringJwt(JWTVerifier):
    """Takes JSON Web Tokens that end at some time; one that never does is refused."""

    async def load_access_token(self, token: str) -> AccessToken | None:
        """Return who may call with a token; ``None`` for a wrong, expired or endless one."""
        found: AccessToken | None = await super().load_access_token(token)
        return found if found is not None and found.expires_at is not None else None

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the same."""
        return await self.load_access_token(token)


def verifier(options: HttpOptions) -> TokenVerifier | None:
    """Return who may call; ``None`` where everybody on this machine may.

    Raises:
        InvalidRequestError: Others could reach the server, and nothing says who may.
        ConfigurationError: The token is too short to be one, or the key cannot be read.
    """
    if options.jwt_key is not None:
        return _jwt(options, options.jwt_key)
    token = os.environ.get(options.token_variable, "").strip()
    if token:
        if len(token) < _TOKEN_CHARS:
            problem = f"a token of {len(token)} characters can be guessed"
            raise ConfigurationError("environment", options.token_variable, problem, cure=f"use at least {_TOKEN_CHARS}")
        return BearerToken(token)
    if options.host not in _LOOPBACK:
        expected = f"a loopback address, or set {options.token_variable} or --jwt-key, which say who may call"
        raise InvalidRequestError("host", options.host, expected=expected)
    return None


def _jwt(options: HttpOptions, key: str) -> TokenVerifier:
    limits: dict[str, Any] = {"issuer": options.jwt_issuer, "audience": options.jwt_audience}
    if key.startswith(("https://", "http://")):
        return ExpiringJwt(jwks_uri=key, **limits)
    try:
        return ExpiringJwt(public_key=Path(key).read_text(encoding="utf-8"), **limits)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        problem = f"cannot be read ({type(error).__name__})"
        raise ConfigurationError("--jwt-key", key, problem, cure="give a file with a public key in PEM") from None


def gatekeepers(*, calls_per_minute: int) -> tuple[Middleware, ...]:
    """Return what sees every message over HTTP first."""
    return (CallRate(calls_per_minute),)


@dataclass
class _Bucket:
    calls: float
    at_s: float


@dataclass
class CallRate(Middleware):
    """Limits how often one client calls: a bucket that holds a minute's calls and fills evenly.

    Args:
        per_minute: Calls a minute.
        clock: Time.
    """

    per_minute: int
    clock: Clock = field(default_factory=SystemClock)
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict[str, _Bucket])

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Let a call through, or say how long to wait."""
        if wait_s := self._wait_s(_client()):
            raise ToolError(f"too many calls: {self.per_minute} a minute are allowed; wait {wait_s:.0f} s.")
        return await call_next(context)

    async def on_read_resource(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Do the same for resources."""
        if wait_s := self._wait_s(_client()):
            raise ResourceError(f"too many calls: {self.per_minute} a minute are allowed; wait {wait_s:.0f} s.")
        return await call_next(context)

    def _wait_s(self, client: str) -> float:
        now_s = self.clock.monotonic()
        bucket = self._buckets.setdefault(client, _Bucket(self.per_minute, now_s))
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        rate = self.per_minute / _MINUTE_S
        bucket.calls, bucket.at_s = min(self.per_minute, bucket.calls + (now_s - bucket.at_s) * rate), now_s
        if bucket.calls < 1:
            return max((1 - bucket.calls) / rate, 1.0)
        bucket.calls -= 1
        return 0.0


def _client() -> str:
    """Return who calls: the token's owner, else the address."""
    token = get_access_token()
    if token is not None:
        return f"token:{token.client_id}"
    try:
        caller = get_http_request().client
    except RuntimeError:  # in memory there is no HTTP request
        return "local"
    return "unknown" if caller is None else f"address:{caller.host}"


def run_http(server: FastMCP, options: HttpOptions) -> None:
    """Serve until the process is stopped; requests that name a foreign host or origin are refused."""
    hosts, origins = [*options.allowed_hosts] or None, [*options.allowed_origins] or None
    # "auto" guards a loopback server on any port; where names are given, or others can reach it, only those names pass.
    protection: Any = "auto" if options.host in _LOOPBACK and not (hosts or origins) else True
    server.run(
        "http",
        show_banner=False,
        host=options.host,
        port=options.port,
        path=options.path,
        host_origin_protection=protection,
        allowed_hosts=hosts,
        allowed_origins=origins,
        log_level="warning",
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
