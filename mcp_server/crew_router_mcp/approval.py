"""Asking the person before something is paid for or ordered.

Which way it goes is a matter of the request, not of the installed packages: one process serves both protocols. On the older one the
server asks the client; on the newer one it answers with a question and the client calls the tool again with the reply; a client that
cannot be asked gets a one-time token, which is a speed bump and no consent, so the configuration may refuse it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from fastmcp.exceptions import ToolError

from crew_router.types.clock import Clock, SystemClock
from crew_router_mcp.answers.reports import Pending
from crew_router_mcp.boundary import ReplyInstead

if TYPE_CHECKING:
    from fastmcp import Context

    from crew_router.router.router import Router

NEWER_PROTOCOL: Final = "2026-07-28"
_EXPIRES_S: Final = 600.0
_MOST_OPEN: Final = 1000
_KEY: Final = "approval"
_FORM: Final = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve", "description": "Go ahead?"}},
    "required": ["approve"],
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked.

    Args:
        tool: The tool that waits.
        arguments: Its arguments; a consent holds for these only.
        reason: Why somebody is asked.
        text: The question.
        subject: What the consent is for besides the arguments: the models that would be called. A choice that has changed is asked
            about again.
    """

    tool: str
    arguments: Mapping[str, object]
    _: KW_ONLY
    reason: str
    text: str
    subject: str = ""

    @property
    def binding(self) -> str:
        """Return what a consent is bound to."""
        said = json.dumps([self.tool, self.arguments], sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Consent:
    """What became of a question: whether the tool may go on, who said so, or what the client has to be told."""

    given: bool
    by: str
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class _Open:
    binding: str
    subject: str
    until_s: float


@dataclass
class OneTimeKeys:
    """Keys that are good once, for one question, for ten minutes.

    Args:
        clock: Time.
    """

    clock: Clock = field(default_factory=SystemClock)
    _open: OrderedDict[str, _Open] = field(default_factory=OrderedDict[str, _Open])

    def issue(self, question: Question) -> str:
        """Return a new key; the oldest goes when there are too many."""
        key = secrets.token_urlsafe(18)
        self._open[key] = _Open(question.binding, question.subject, self.clock.monotonic() + _EXPIRES_S)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return key

    def take(self, key: str, question: Question) -> bool:
        """Use a key up; false when what would be done is no longer what was asked about.

        Raises:
            ToolError: It was never given out, is used up, too old, or belongs to other arguments.
        """
        known = self._open.get(key)
        if known is None or known.until_s < self.clock.monotonic():
            self._open.pop(key, None)
            raise ToolError("this approval is used up, too old or unknown; call the tool again without it to ask anew.")
        if known.binding != question.binding:
            raise ToolError("this approval was given for other arguments; call the tool again without it to ask anew.")
        del self._open[key]
        return known.subject == question.subject


class Approver:
    """Asks, and writes into the audit what came of it.

    Args:
        router: Keeps the audit and the configuration.
        keys: Keys of open questions.
    """

    def __init__(self, router: Router, keys: OneTimeKeys | None = None) -> None:
        self._router, self._keys = router, keys or OneTimeKeys()

    async def consent(self, context: Context, question: Question, *, token: str | None) -> Consent:
        """Return what the person says, by the way that this request allows.

        Raises:
            ToolError: Nobody can be asked and the configuration wants a person, or a token or reply is not good.
            ReplyInstead: The client has to ask first, and call again with the reply.
        """
        if token is not None:
            return self._by_token(question, token)
        if not may_ask(context):
            return self._without_a_person(question)
        if newer(context):
            return self._by_reply(context, question)
        self._audit("approval asked", question, how="elicit")
        reply = await context.elicit(question.text, bool)  # type: ignore[arg-type]  # its overloads leave out what its documentation shows
        return self._settled(question, given=reply.action == "accept" and getattr(reply, "data", None) is True, how="elicit")

    def _by_reply(self, context: Any, question: Question) -> Consent:
        answer = (context.input_responses or {}).get(_KEY)
        if answer is None or not self._keys.take(str(context.request_state or ""), question):
            raise ReplyInstead(self._asked_by_reply(question))
        given = answer.action == "accept" and (answer.content or {}).get("approve") is True
        return self._settled(question, given=given, how="input_required")

    def _asked_by_reply(self, question: Question) -> object:
        types: Any = importlib.import_module("mcp_types")  # there only where the newer protocol is spoken
        self._audit("approval asked", question, how="input_required")
        ask = types.ElicitRequest(params=types.ElicitRequestFormParams(message=question.text, requested_schema=_FORM))
        return types.InputRequiredResult(input_requests={_KEY: ask}, request_state=self._keys.issue(question))

    def _by_token(self, question: Question, token: str) -> Consent:
        self._needs_token_allowed(question)
        if not self._keys.take(token, question):
            return self._without_a_person(question)
        return self._settled(question, given=True, how="token")

    def _without_a_person(self, question: Question) -> Consent:
        self._needs_token_allowed(question)
        self._audit("approval asked", question, how="token")
        token = self._keys.issue(question)
        return Consent(given=False, by="", pending=Pending(reason=question.reason, question=question.text, confirmation_token=token))

    def _needs_token_allowed(self, question: Question) -> None:
        if self._router.config.mcp.approval.unasked == "refuse":
            self._audit("approval refused", question, how="nobody could be asked")
            raise ToolError(
                f"{question.reason}: a person has to agree, and this client cannot ask one; use a client with elicitation, "
                "or set mcp.approval.unasked: token in the configuration."
            )

    def _settled(self, question: Question, *, given: bool, how: Literal["elicit", "input_required", "token"]) -> Consent:
        self._audit("approval given" if given else "approval refused", question, how=how)
        return Consent(given=given, by=f"MCP client ({how})" if given else "")

    def _audit(self, event: str, question: Question, *, how: str) -> None:
        """Append a row; it names the arguments by their hash, since they may hold the prompt."""
        detail = {"tool": question.tool, "because": question.reason, "models": question.subject, "arguments": question.binding}
        self._router.audit(event, {**detail, "how": how, "by": "MCP client"})


def newer(context: Context) -> bool:
    """Tell whether a request speaks the newer protocol, which has no requests from the server to the client."""
    version = getattr(context.request_context, "protocol_version", None)
    return isinstance(version, str) and version >= NEWER_PROTOCOL


def may_ask(context: Context) -> bool:
    """Tell whether the client says that it can show a form to a person."""
    session: Any = context.session
    capabilities = getattr(session, "client_capabilities", None)  # mcp 2.x; on the newer protocol it comes with every request
    if capabilities is None:
        parameters = getattr(session, "client_params", None)  # mcp 1.x; absent where there are no sessions, and then nobody can be asked
        capabilities = None if parameters is None else parameters.capabilities
    asked = getattr(capabilities, "elicitation", None)
    # {} means forms, for clients that were written before there was anything else.
    return asked is not None and (getattr(asked, "form", None) is not None or getattr(asked, "url", None) is None)
