"""``crew-router-mcp``: the server as a process, over stdio or streamable HTTP."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crew_router.config.environment import CONFIG_VARIABLE
from crew_router.errors import ConfigurationError, CrewRouterError, InvalidRequestError

PORT: Final = 8765


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the server is reached over HTTP.

    Args:
        host: Address to serve on; one that others can reach needs a token or a key.
        port: Port to serve on.
        path: Path of the endpoint.
        token_variable: Environment variable that holds the bearer token; none when it is empty or unset.
        jwt_key: File with the public key of JSON Web Tokens, or the address of a key set.
        jwt_issuer: Who has to have issued them.
        jwt_audience: For whom they have to be.
        allowed_hosts: Names by which the server may be called, besides its own address.
        allowed_origins: Web pages that may call it.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    path: str = "/mcp"
    token_variable: str = "CREW_ROUTER_MCP_TOKEN"  # noqa: S105 - the name of a variable
    jwt_key: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What is served.

    Args:
        config: Configuration of the router, a file or a folder.
        project: Name space of state, budgets and learning.
        folder: Where to work, whatever folder the client starts the server in: files, the project and stores are looked for there.
        tools: Names of the tools to offer; all when empty.
        read_only: Whether only tools that read are offered.
        http: Serve HTTP instead of standard input and output.
    """

    config: Path | None = None
    project: str | None = None
    folder: Path | None = None
    tools: tuple[str, ...] = ()
    read_only: bool = False
    http: HttpOptions | None = field(default=None)


def serve(options: ServeOptions) -> None:
    """Serve the MCP tools until the client goes away; standard output belongs to the protocol.

    Raises:
        InvalidRequestError: A tool is not known, or others could reach the server and nothing says who may.
        ConfigurationError: The configuration cannot be read or means nothing.
        MissingDependencyError: The extra ``mcp`` is not installed.
    """
    if options.folder is not None:
        _work_in(options.folder)
    if options.config is not None:
        os.environ[CONFIG_VARIABLE] = str(options.config.absolute())  # for the crews that are run in processes of their own
    if options.http is not None:
        _serve_http(options, options.http)
    else:
        _serve_stdio(options)


def _work_in(folder: Path) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise InvalidRequestError("folder", str(folder), expected=f"a folder that can be entered ({error.strerror})") from None


def _serve_stdio(options: ServeOptions) -> None:
    from crew_router_mcp.stdio import prints_on_standard_error, stdio_kept_for_the_protocol

    with contextlib.ExitStack() as stack:
        with prints_on_standard_error():
            from crew_router.router.router import Router  # `--help` needs neither a router nor fastmcp
            from crew_router_mcp.server import create_server

            router = stack.enter_context(Router(config=options.config, project=options.project))
            server = create_server(router, tools=options.tools or None, read_only=options.read_only)
            _log_discreetly()
        stack.enter_context(stdio_kept_for_the_protocol())
        server.run("stdio", show_banner=False, log_level="warning")


def _serve_http(options: ServeOptions, http: HttpOptions) -> None:
    from crew_router.router.router import Router
    from crew_router_mcp.http import gatekeepers, run_http, verifier
    from crew_router_mcp.server import create_server

    auth = verifier(http)
    with Router(config=options.config, project=options.project) as router:
        limits = gatekeepers(calls_per_minute=router.config.mcp.calls_per_minute)
        server = create_server(router, tools=options.tools or None, read_only=options.read_only, auth=auth, middleware=limits)
        _log_discreetly()
        run_http(server, http)


def _log_discreetly() -> None:
    from crew_router_mcp.quiet import log_discreetly

    log_discreetly()  # once fastmcp is imported, which sets handlers of its own


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``crew-router-mcp``; an error is one line on standard error, exit 1 (failed) or 2 (wrong use)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["install"]:
            from crew_router_mcp.install.command import main as install

            install(given[1:])
            return
        serve(_options(_parser().parse_args(given)))
    except CrewRouterError as error:
        sys.stderr.write(f"crew-router-mcp: {' '.join(str(error).split())}\n")
        sys.exit(2 if isinstance(error, (ConfigurationError, InvalidRequestError)) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _options(given: argparse.Namespace) -> ServeOptions:
    http = HttpOptions(
        given.host,
        given.port,
        jwt_key=given.jwt_key,
        jwt_issuer=given.jwt_issuer,
        jwt_audience=given.jwt_audience,
        allowed_hosts=tuple(given.allow_host),
        allowed_origins=tuple(given.allow_origin),
    )
    return ServeOptions(
        given.config, given.project, given.folder, named(given.tools), read_only=given.read_only, http=http if given.http else None
    )


def named(text: str | None) -> tuple[str, ...]:
    """Read names that are separated by commas."""
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crew-router-mcp",
        description="Model routing as MCP tools, over standard input and output. `crew-router-mcp install --help` adds it to a client.",
    )
    parser.add_argument("--config", type=Path, help="configuration file or folder of crew-router")
    parser.add_argument("--project", help="name space of state, budgets and learning (default: that of the configuration or the folder)")
    parser.add_argument("--folder", type=Path, help="folder to work in, whatever folder the client starts the server in")
    parser.add_argument("--tools", metavar="NAME,…", help="offer these tools only")
    parser.add_argument("--read-only", action="store_true", help="offer only tools that read: nothing is called, paid for or ordered")
    parser.add_argument("--http", action="store_true", help="serve streamable HTTP instead")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on; others than loopback need a token (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to serve on (default: %(default)s)")
    parser.add_argument("--jwt-key", metavar="FILE|URL", help="public key or key set of JSON Web Tokens; instead of CREW_ROUTER_MCP_TOKEN")
    parser.add_argument("--jwt-issuer", help="issuer that the tokens have to name")
    parser.add_argument("--jwt-audience", help="audience that the tokens have to name")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="host name that requests may use; repeatable")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="URL", help="origin of web pages that may call; repeatable")
    return parser
