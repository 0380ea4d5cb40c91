"""Tokens as the tokenizers of providers count them."""

import pytest
from decision_pools import NOW, line, model, pool

from crew_router import Router, RoutingRequest
from crew_router.decide.tokenizers import forget_tokenizer, tokenizer, tokenizers_of
from crew_router.types import Price, Snapshot

WORDS = "one two three four five six seven eight nine ten"
ENTRY = {"model": "m", "base_url": "http://127.0.0.1:9/v1", "quality": 0.8, "source": "a test", "price": {"input": 1000.0, "output": 0}}


class PerWord:
    """A fake that takes every word for a token."""

    def count(self, text):
        """Count words."""
        return len(text.split())


@pytest.fixture
def per_word():
    """A tokenizer of the provider lab, which counts words."""
    tokenizer("lab")(PerWord)
    yield PerWord()
    forget_tokenizer("lab")


def entries(*refs):
    """Return entries whose input costs a tenth of a cent a token, and whose answers are free."""
    return {ref: {**ENTRY, "provider": ref.partition(":")[0]} for ref in refs}


@pytest.mark.usefixtures("per_word")
@pytest.mark.parametrize(("enabled", "context", "counted"), [(True, None, 10), (False, None, None), (True, 77, 77)])
def test_tokens_are_counted_as_the_provider_counts_them(enabled, context, counted):
    """Each provider's models are priced at its own count, others at the estimate, and the caller's word wins over both."""
    config = {"registry": "none", "tokenizers": {"enabled": enabled}}
    with Router(config, models=entries("lab:a", "far:a"), ledger_url="sqlite://") as router:
        decision = router.select_model(RoutingRequest(task_description=WORDS, context_tokens=context))
        costs = {row.model: row.cost_usd for row in decision.table.candidates()}

    estimate = decision.profile.input_tokens.value
    assert costs == pytest.approx({"lab:a": (counted or estimate) / 1000, "far:a": estimate / 1000})


def test_context_window_is_held_against_the_count_of_each_provider(per_word):
    """The same text can fit one provider's window and not another's of the same size."""
    models = [model("lab:x", context_window=12, price=Price(0, 0)), model("far:x", context_window=12)]
    seen = pool(models, tokenizers={"lab": per_word})
    request = RoutingRequest(task_description=WORDS.replace(" ", "-long "), expected_output_tokens=1)

    decision = line().decide(request, pool=seen, snapshot=Snapshot(), now=NOW, executing=False)

    assert decision.selected_model == "lab:x"
    assert decision.cost.input_tokens == 10
    assert decision.rejected["far:x"][0].filter == "context_window"


def test_long_text_is_counted_by_its_head_and_tail(per_word):
    """Of ten million characters a few thousand are counted, and stand for the rest."""
    seen = pool([model("lab:x", context_window=None)], tokenizers={"lab": per_word})
    request = RoutingRequest(task_description="word " * 2_000_000)

    decision = line().decide(request, pool=seen, snapshot=Snapshot(), now=NOW, executing=False)

    assert decision.cost.input_tokens == pytest.approx(2_000_000, rel=0.01)


def test_no_vocabulary_is_downloaded(monkeypatch, tmp_path):
    """Without its vocabulary on the machine, or with a damaged one, OpenAI's tokenizer is not used; sockets are off here."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    forget_tokenizer("nobody")  # what was found before is looked for again
    assert tokenizers_of(["openai"]) == {}

    (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"IQ== 0\n")
    forget_tokenizer("nobody")
    assert tokenizers_of(["openai", "nobody"]) == {}


def test_tokenizer_that_breaks_leaves_the_estimate(caplog):
    """A package that cannot be used is said once and not asked again."""

    @tokenizer("lab")
    def _broken():
        raise OSError("no vocabulary")

    try:
        assert tokenizers_of(["lab"]) == tokenizers_of(["lab"]) == {}
    finally:
        forget_tokenizer("lab")
    assert [record.message for record in caplog.records] == ["the tokenizer of lab cannot be used; its tokens are estimated"]
