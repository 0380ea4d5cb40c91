"""The MCP server: thin, typed tools over a router, written to what fastmcp 3.4 and 4 share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from crew_router.errors import InvalidRequestError, MissingDependencyError

try:
    from fastmcp import FastMCP
    from fastmcp.tools import Tool
except ImportError as missing:
    raise MissingDependencyError("fastmcp", extra="mcp") from missing

from crew_router_mcp.approval import Approver
from crew_router_mcp.boundary import ReadArguments, explained
from crew_router_mcp.resources import add_readings
from crew_router_mcp.routing_schema import announced, inlined
from crew_router_mcp.tools.advice import AdviceTools
from crew_router_mcp.tools.crews import CrewTools
from crew_router_mcp.tools.ordering import OrderTools
from crew_router_mcp.tools.registry import RegistryTools
from crew_router_mcp.tools.reporting import ReportTools
from crew_router_mcp.tools.running import RunTools

if TYPE_CHECKING:
    from fastmcp.server.auth import AuthProvider
    from fastmcp.server.middleware import Middleware

    from crew_router.router.router import Router

# The first 512 characters are all that some clients read when they choose a server.
INSTRUCTIONS: Final = (
    "Picks the language model that serves a task best by cost, quality, latency and safety. "
    "Ask suggest_model before you call a model or hand a task to an agent; compare_models for a table, simulate_route for what-if, "
    "ask to have the prompt answered. Afterwards tell record_outcome or submit_feedback how it went, by decision_id: later choices learn. "
    "explain_decision says why; list_models and check_health what there is; get_budget and get_stats what is spent. "
    "Answers are short; detail: full has everything. needs_approval: show the question to the person, then repeat the call with the token."
)
LIST_TTL_S: Final = 60


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """One tool and what clients are told of it.

    Args:
        function: Does it.
        title: Its name for people.
        reads: Whether it only reads; tools that do not are absent from a read-only server.
        again: Whether a second call with the same arguments changes nothing more.
        outside: Whether it reaches models or servers elsewhere.
        destroys: Whether it may undo or spend something.
    """

    function: Callable[..., Any]
    title: str
    reads: bool = True
    again: bool = True
    outside: bool = False
    destroys: bool = False

    @property
    def name(self) -> str:
        """Return the name by which clients call it."""
        return self.function.__name__

    def tool(self) -> Tool:
        """Return it as fastmcp has tools."""
        hints: Any = {
            "title": self.title,
            "readOnlyHint": self.reads,
            "destructiveHint": self.destroys,
            "idempotentHint": self.again,
            "openWorldHint": self.outside,
        }
        tool = Tool.from_function(explained(self.function), name=self.name, title=self.title, annotations=hints)
        flat = inlined(tool.parameters, tool.parameters.get("$defs", {}))
        return tool.model_copy(update={"parameters": {key: value for key, value in flat.items() if key != "$defs"}})


def tool_entries(router: Router) -> tuple[ToolEntry, ...]:
    """Return every tool over a router."""
    approver = Approver(router)
    advice, registry, reports = AdviceTools(router), RegistryTools(router), ReportTools(router)
    crews = CrewTools(router, approver)
    running, orders = RunTools(router, approver), OrderTools(router, approver)
    return (
        ToolEntry(advice.suggest_model, "Suggest a model", again=False),
        ToolEntry(advice.compare_models, "Compare models"),
        ToolEntry(advice.simulate_route, "Simulate a route"),
        ToolEntry(advice.explain_decision, "Explain a decision"),
        ToolEntry(registry.list_models, "List the models"),
        ToolEntry(registry.check_health, "Check health", outside=True),
        ToolEntry(registry.probe_health, "Probe the models", reads=False, outside=True),
        ToolEntry(running.ask, "Ask the best model", reads=False, again=False, outside=True, destroys=True),
        ToolEntry(reports.record_outcome, "Record an outcome", reads=False, again=False),
        ToolEntry(reports.submit_feedback, "Submit feedback", reads=False, again=False),
        ToolEntry(reports.get_budget, "Show budgets"),
        ToolEntry(reports.get_stats, "Show statistics"),
        ToolEntry(orders.set_override, "Set an override", reads=False, destroys=True),
        ToolEntry(crews.plan_crew, "Plan a crew"),
        ToolEntry(crews.execute_crew, "Run a crew", reads=False, again=False, outside=True, destroys=True),
        ToolEntry(orders.clear_override, "Clear the override", reads=False, destroys=True),
    )


def create_server(
    router: Router,
    *,
    tools: Collection[str] | None = None,
    read_only: bool = False,
    auth: AuthProvider | None = None,
    middleware: Collection[Middleware] = (),
) -> FastMCP:
    """Return an MCP server over a router.

    Args:
        router: Decides and reports; the caller closes it.
        tools: Names of the tools to offer; all when not given.
        read_only: Whether only tools that read are offered.
        auth: Who may call, over HTTP.
        middleware: What sees every message first.

    Raises:
        MissingDependencyError: The extra ``mcp`` is not installed.
        InvalidRequestError: A tool is not known.
    """
    offered = [entry.tool() for entry in _offered(tool_entries(router), tools, read_only=read_only)]
    schemas: Mapping[str, Mapping[str, Any]] = {tool.name: tool.parameters for tool in offered}
    server = FastMCP(
        "crew-router",
        instructions=INSTRUCTIONS,
        version=own_version(),
        mask_error_details=True,
        auth=auth,
        middleware=[*middleware, ReadArguments(schemas)],
        **_newer_settings(),
    )
    for tool in offered:
        server.add_tool(tool.model_copy(update={"parameters": announced(tool.parameters)}))
    add_readings(server, router)
    return server


def own_version() -> str:
    """Return the version of crew-router; that of a checkout that is not installed is not known."""
    try:
        return version("crew-router")
    except PackageNotFoundError:
        return "0"


def _offered(entries: Collection[ToolEntry], names: Collection[str] | None, *, read_only: bool) -> list[ToolEntry]:
    known = [entry.name for entry in entries]
    for name in names or ():
        if name not in known:
            raise InvalidRequestError("tools", name, expected=f"some of {', '.join(known)}")
    found = [entry for entry in entries if (not names or entry.name in names) and (entry.reads or not read_only)]
    if not found:
        raise InvalidRequestError("tools", sorted(names or ()), expected="at least one tool that reads, since the server is read-only")
    return found


def _newer_settings() -> dict[str, Any]:
    """Return the settings that only fastmcp 4 knows: how long lists may be kept, and that they are the same for everybody."""
    known = inspect.signature(FastMCP.__init__).parameters
    return {name: value for name, value in {"cache_ttl": LIST_TTL_S, "cache_scope": "private"}.items() if name in known}
