"""One request, one way down: which files three requests go through, against the bounds in docs/architecture.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from call_trace import Trace
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from learn_pools import invented

from crew_router import Mode, Router, RoutingRequest
from crew_router.decide.learned.artifact import save
from crew_router.evaluate.training import train
from crew_router.testing import ScriptedModel
from crew_router_langchain import ChatCrewRouter

if TYPE_CHECKING:
    import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def bounds(request: str) -> tuple[int, int, int]:
    """Return the most files, switches and returns that the page states for a request."""
    row = re.search(rf"^\| {re.escape(request)} \| (\d+) \| (\d+) \| (\d+) \|$", _PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert row is not None
    files, switches, returns = map(int, row.groups())
    return files, switches, returns


def check(request: str, trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what was counted, and hold it against the page."""
    found = len(trace.entered), trace.switches, trace.returns
    with capsys.disabled():
        sys.stdout.write(f"\n{request}: {found[0]} files, {found[1]} switches, {found[2]} returns")
    assert all(have <= most for have, most in zip(found, bounds(request), strict=True)), (found, trace.entered)


def test_invoke_goes_one_way_down(capsys):
    """``Router.invoke`` of a scripted model stays within what the page states."""
    models = {"lab:a": ScriptedModel(replies=["Paris"] * 2), "lab:b": ScriptedModel(replies=["Paris"] * 2)}
    with Router(models=models, ledger_url="sqlite://") as router:
        router.invoke("What is the capital of France?")

        with Trace() as trace:
            router.invoke("What is the capital of Spain?")

    check("`Router.invoke`, scripted model", trace, capsys)


def test_a_langchain_stream_goes_one_way_down(capsys):
    """A stream of a LangChain model through ``ChatCrewRouter`` stays within what the page states."""
    model = GenericFakeChatModel(messages=iter([AIMessage("Paris")] * 2))
    with Router(models={"lab:a": model}, ledger_url="sqlite://") as router:
        chat = ChatCrewRouter(router=router)
        list(chat.stream("What is the capital of France?"))

        with Trace() as trace:
            list(chat.stream("What is the capital of Spain?"))

    check("LangChain stream of one word", trace, capsys)


def test_a_learned_cascade_goes_one_way_down(capsys, tmp_path):
    """A cascade that training planned, whose first model is not believed, stays within what the page states."""
    save(train(invented()), tmp_path / "artifact")
    prices = {"cheap": (0.1, 0.1), "middle": (1.0, 1.0), "dear": (10.0, 10.0)}
    answers = {"cheap": "12", "middle": "7", "dear": "7"}
    models = {f"lab:{name}": ScriptedModel(replies=[answers[name]] * 9, price=price) for name, price in prices.items()}
    with Router({"learning": {"model": str(tmp_path / "artifact")}}, models=models, ledger_url="sqlite://") as router:
        request = RoutingRequest(willingness_to_pay=0.02)
        router.invoke("How many apples are there in case 3?", request=request)

        with Trace() as trace:
            response = router.invoke("How many pears are there in case 4?", request=request)

    assert response.decision.mode is Mode.CASCADE
    assert len(response.attempts) > 1
    check("learned cascade of two models", trace, capsys)
