"""A fake provider on loopback that speaks the wire formats of OpenAI, Anthropic and Amazon Bedrock.

A model misbehaves when :meth:`WireServer.break_model` says so. It is a fake for tests: see ``wire_brain`` for what it says.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

import wire_formats
from wire_brain import Said, say


@dataclass(frozen=True)
class Fault:
    """How a model misbehaves: an HTTP error, a delay, a stream cut after some events, or an answer of its own."""

    status: int | None = None
    code: str = "error"
    message: str = "the fake provider fails"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    answer: Said | None = None
    body: str | None = None
    kind: str = "application/json"
    times: int | None = None


@dataclass(frozen=True)
class Seen:
    """One request that reached the server."""

    model: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class WireServer:
    """The server; use it as a context manager.

    Attributes:
        seen: Every request in order of arrival.
        answers: What was said to those that succeeded.
        url: Address without a path.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.open_now = 0
        self.most_open = 0
        self._faults: dict[str, Fault] = {}
        self._rules: list[Callable[[int, Seen], Fault | None]] = []
        self.answers: list[Said] = []
        self._lock = threading.Lock()
        self._http = _Http(self)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @property
    def openai_url(self) -> str:
        """Address of the OpenAI-compatible endpoint."""
        return f"{self.url}/v1"

    @property
    def mistral_url(self) -> str:
        """Address of the endpoint that behaves as Mistral's."""
        return f"{self.url}/mistral/v1"

    def break_model(self, model: str, fault: Fault) -> None:
        """Let a model misbehave from the next request on."""
        self._faults[model] = fault

    def refuse(self, unwanted: Callable[[dict[str, Any]], object], message: str) -> None:
        """Answer every request whose body is unwanted with status 400."""
        refusal = Fault(status=400, code="invalid_request_error", message=message)
        self.rule(lambda _at, seen: refusal if unwanted(seen.body) else None)

    def rule(self, rule: Callable[[int, Seen], Fault | None]) -> None:
        """Let a rule say how a request fares, by its place among all requests (from 0) and by what it is; its faults go first."""
        self._rules.append(rule)

    def heal(self) -> None:
        """Let every model behave, and forget what was seen."""
        self._faults.clear()
        self._rules.clear()
        self.answers.clear()
        self.seen.clear()
        self.most_open = 0

    def models_called(self) -> list[str]:
        """Return the models of the requests in order of arrival."""
        return [seen.model for seen in self.seen]

    def fault(self, seen: Seen, at: int) -> Fault:
        """Return how a request fares; a fault of so many ``times`` is used up by that."""
        ruled = (rule(at, seen) for rule in self._rules)
        found = next((fault for fault in ruled if fault is not None), None)
        if found is not None:
            return found
        fault = self._faults.get(seen.model, Fault())
        if fault.times is not None:
            self._faults[seen.model] = replace(fault, times=fault.times - 1) if fault.times > 1 else Fault()
        return fault

    def answer(self, fault: Fault, asked: Any) -> Said:
        """Return what is said to a request that succeeds, and remember it."""
        said = fault.answer or say(asked)
        self.answers.append(said)
        return said

    def note(self, seen: Seen) -> int:
        """Take a request that arrived, and return its place among all."""
        with self._lock:
            self.seen.append(seen)
            at = len(self.seen) - 1
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
            return at

    def done(self) -> None:
        """Take the end of the work on a request."""
        with self._lock:
            self.open_now -= 1

    def __enter__(self) -> Self:
        """Start serving."""
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, wire: WireServer) -> None:
        self.wire = wire
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is an error of the fake."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in ("fast", "smart")]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        path = unquote(self.path.partition("?")[0])
        reader = wire_formats.format_of(path)
        asked = reader.read(body, path)
        wire = self.server.wire
        seen = Seen(asked.model, path, body, {key.lower(): value for key, value in self.headers.items()})
        fault = wire.fault(seen, wire.note(seen))
        time.sleep(fault.delay_s)
        wire.done()  # before the answer leaves: a client that has it may call again while this thread is still ending
        self._answer(fault, reader, asked=asked, body=body, path=path)

    def _answer(self, fault: Fault, reader: Any, *, asked: Any, body: dict[str, Any], path: str) -> None:
        if fault.status is not None and fault.body is None:
            self._json(fault.status, reader.error(fault.code, fault.message), fault.headers)
        elif fault.body is not None:
            self._raw(fault.status or 200, fault.body.encode(), fault.kind, fault.headers)
        elif reader.streams(body, path):
            said = self.server.wire.answer(fault, asked)
            self._stream(reader.events(asked, said), fault.cut_after, reader.stream_type, fault.headers)
        else:
            self._json(200, reader.whole(asked, self.server.wire.answer(fault, asked)), fault.headers)

    def _json(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(answer, ensure_ascii=False).encode(), "application/json", headers)

    def _raw(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[bytes], cut_after: int | None, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("connection", "close")
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.close_connection = True
        for sent, event in enumerate(events):
            if cut_after is not None and sent >= cut_after:
                return
            self.wfile.write(event)
            self.wfile.flush()
