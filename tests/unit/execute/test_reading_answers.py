"""What answers say: agreement, posterior, signals, schemas, the joint of a continued text."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crew_router.execute.json_schema import problems
from crew_router.execute.policy import StreamPolicy
from crew_router.execute.posterior import Vote, expected_best, posterior
from crew_router.execute.signals.judged import chosen, graded
from crew_router.execute.signals.logprobs import token_logprobs
from crew_router.execute.signals.protocol import Drafted
from crew_router.execute.signals.reading import reading
from crew_router.execute.stream_buffer import StreamBuffer
from crew_router.testing import ScriptedModel
from crew_router.types import ModelRef, ToolCall, Usage
from crew_router.types.canonical_answer import answer_key
from crew_router.types.transport import Payload, Piece, Reply

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}, "unit": {"enum": ["C", "F"]}},
    "required": ["city"],
    "additionalProperties": False,
}
VOTES = st.lists(st.builds(Vote, st.sampled_from("abcd"), st.sampled_from("xyz"), st.floats(0, 1)), min_size=1, max_size=6)
TEXTS = st.one_of(
    st.lists(st.text("abcdefg", min_size=1, max_size=6), min_size=1, max_size=30, unique=True),
    st.lists(st.from_regex(r"[ab]{1,5}([.-][ab]{1,5})?", fullmatch=True), min_size=1, max_size=8, unique=True),
    st.permutations(["the", "theory", "then", "in", "into", "introduces", "an", "and", "to", "to-do", "today", "a"]),
).map(" ".join)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The answer is 42.", "42"),
        ("Total: $1,234.50", "1234.5"),
        ("The correct option is (B).", "B"),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ("```json\n[1, 2]\n```", "[1,2]"),
        (r"so \boxed{3/4}", r"\boxed{3/4}"),
        ("Paris!", "  paris "),
        ("now(); days(n=3)", "days(n=3);now()"),
    ],
)
def test_equal_answers_have_equal_keys(one, other):
    """Wording, order and punctuation do not make another answer."""
    assert answer_key(Reply(one)) == answer_key(Reply(other))


def test_an_answer_nested_too_deeply_to_be_read_is_a_text():
    """A model that goes on opening brackets disagrees with the others, and brings no vote down."""
    assert answer_key(Reply("[" * 100_000)) != answer_key(Reply("[]"))


@pytest.mark.parametrize(
    ("one", "other"), [("42", "43"), ("Option A", "Option B"), ("Paris", "Rome"), ("-1", "1"), ("f(a=1, n=3)", "f(a=2, n=3)")]
)
def test_other_answers_have_other_keys(one, other):
    """Different answers stay apart."""
    assert answer_key(Reply(one)) != answer_key(Reply(other))


def test_tool_calls_agree_by_name_and_arguments():
    """The id of a call and the order of its arguments do not matter."""
    one = Reply("", tool_calls=(ToolCall("1", "f", '{"a": 1, "b": 2}'),))
    other = Reply("", tool_calls=(ToolCall("2", "f", '{"b":2,"a":1}'),))

    assert answer_key(one) == answer_key(other)


def test_code_agrees_by_its_output_when_a_runner_is_given():
    """Two programs that print the same agree."""
    one, other = Reply("```python\nprint(2)\n```"), Reply("```python\nprint(1 + 1)\n```")

    assert answer_key(one, runner=lambda _: "2\n") == answer_key(other, runner=lambda _: "2")


@given(VOTES)
def test_posterior_is_a_probability(votes):
    """The answers' probabilities lie in 0..1 and sum to at most one."""
    beliefs = posterior(votes)

    assert all(0 <= belief <= 1 for belief in beliefs.values())
    assert sum(beliefs.values()) <= 1 + 1e-9


@given(VOTES, st.sampled_from("abcd"), st.floats(0.1, 0.95))
def test_asking_more_is_never_expected_to_hurt(votes, model, accuracy):
    """One more answer is expected to leave the best one at least as probable."""
    fresh = [Vote(f"{vote.model}{at}", vote.key, vote.accuracy) for at, vote in enumerate(votes)]

    assert expected_best(fresh, f"new {model}", accuracy=accuracy) >= max(posterior(fresh).values()) - 1e-6


def test_agreement_of_two_is_surer_than_either():
    """Two models of accuracy 0.6 that agree are right with more than 0.8."""
    assert posterior([Vote("a", "x", 0.6), Vote("b", "x", 0.6)])["x"] > 0.8


@pytest.mark.parametrize(
    "text", ["2 + 3 + 4 = 9", "1,200 * 3 = 3,600", "5 * $20 = $100", "(2 + 1) * 3 = 9", "20 * 5% = 1", "x - 3 - 1 = 2"]
)
def test_sums_that_hold_or_are_pieces_of_others_count_against_nobody(text):
    """Thousands, money, longer sums and percentages are not taken for mistakes."""
    assert (reading(_draft(text)) or 0.0) >= 0.0


def test_wrong_sums_and_hedging_count_against_an_answer():
    """A sum that does not hold and words of doubt are evidence against it, a right sum for it."""
    values = [reading(_draft(text)) for text in ("3 + 4 = 8", "I'm not sure, perhaps 7.", "3 + 4 = 7")]

    assert values[0] < values[1] < 0 < values[2]


def test_sure_tokens_count_for_an_answer():
    """Log-probabilities near zero are evidence for the answer, low ones against it."""
    sure, unsure = (_draft("x", logprobs=(value, value)) for value in (-0.01, -2.0))

    assert token_logprobs(unsure) < 0 < token_logprobs(sure)
    assert token_logprobs(_draft("x")) is None


def test_the_judges_words_are_read():
    """Letter and grade are found in free text, and missing ones are not made up."""
    assert chosen("B is weak.\nBest: **A**", [1, 0]) == 1
    assert graded("Looks fine.\n85") == 0.85
    assert (chosen("no idea", [0, 1]), graded("no idea")) == (None, None)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ({"city": "Bonn"}, True),
        ({"city": "Bonn", "days": 2, "unit": "C"}, True),
        ({}, False),
        ({"city": 1}, False),
        ({"city": "Bonn", "days": 0}, False),
        ({"city": "Bonn", "days": True}, False),
        ({"city": "Bonn", "unit": "K"}, False),
        ({"city": "Bonn", "more": 1}, False),
        ([], False),
    ],
)
def test_values_are_checked_against_their_schema(value, good):
    """What the schema forbids is found, what it allows is let through."""
    assert (not problems(value, SCHEMA)) is good


def test_schemas_refer_to_their_definitions():
    """References into $defs and alternatives are followed."""
    schema = {"$defs": {"n": {"type": "integer"}}, "anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}

    assert [bool(problems(value, schema)) for value in (1, None, "x")] == [False, False, True]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("keyword", "message"), [("allOf", "$ is not of type string"), ("anyOf", "$ fits none of anyOf")])
def test_schemas_that_refer_to_one_another_many_times_are_checked_once(keyword, message):
    """Fifteen schemas, each three times the next, are not checked three to the fifteenth times, and what is wrong is said once."""
    chain = {f"a{at}": {keyword: [{"$ref": f"#/$defs/a{at + 1}"}] * 3} for at in range(15)}
    schema = {"$ref": "#/$defs/a0", "$defs": {**chain, "a15": {"type": "string"}}}

    assert problems(1, schema) == [message]
    assert problems("text", schema) == []


@pytest.mark.timeout(20)
def test_a_schema_that_is_several_times_itself_is_checked_once():
    """A reference back to where it came from asks for nothing that is not asked for already; other rules beside it hold."""
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [*[{"$ref": "#/$defs/a"}] * 3, {"type": "string"}]}}}

    assert problems("text", schema) == []
    assert problems(1, schema) == ["$ is not of type string"]


@given(TEXTS, st.integers(0, 200), st.integers(0, 40), st.integers(1, 9), st.sampled_from(["goes on", "blank again", "restates"]))
def test_a_continuation_says_nothing_twice(text, cut, back, size, how):
    """Wherever a stream of distinct words breaks, and however the next model goes on, the text is whole."""
    cut = cut % (len(text) + 1)
    shown = text[:cut]
    start = text.rfind(" ", 0, max(cut - back, 0)) + 1
    in_a_word = text[cut - 1 : cut].isalpha() and text[cut : cut + 1].isalpha()
    start = start if in_a_word or sum(map(str.isalnum, text[start:cut])) > 1 else cut
    begin = {"goes on": cut, "blank again": len(shown.rstrip()), "restates": start}[how]
    # Whoever goes on with the letters of the words before cannot be told from one who says them again.
    assume(begin < cut or not any(text[begin:].startswith(text[at:cut]) for at in _starts(shown)))

    assert _joined(shown, [text[at : at + size] for at in range(begin, len(text), size)]) == text


@pytest.mark.parametrize(
    ("shown", "goes_on", "whole"),
    [
        ("ba ", "baaaaa", "ba baaaaa"),
        ("in the ", "in theory", "in the in theory"),
        ("Of the", " theory", "Of the theory"),
        ("Add it to", " to-do lists", "Add it to to-do lists"),
        ("for example", " example.com", "for example example.com"),
        ("x" * 150 + " ends", " endsmeet", "x" * 150 + " ends endsmeet"),
        ("a ninth is 0.333", "333 or so", "a ninth is 0.333333 or so"),
        ("World War I", "I began", "World War II began"),
        ("it costs 1", "100", "it costs 1100"),
        ("|---", "|---|", "|---|---|"),
        ("}\n}", "\n}\n}", "}\n}\n}\n}"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_word_that_only_begins_like_the_last_one_is_kept(shown, goes_on, whole, size):
    """Only whole words are taken for said again, however the pieces of the continuation fall."""
    assert _joined(shown, [goes_on[at : at + size] for at in range(0, len(goes_on), size)]) == whole


@pytest.mark.parametrize(
    ("shown", "goes_on", "whole"),
    [
        ("the quick bro", "brown fox", "the quick brown fox"),
        ("the quick bro", " quick brown fox", "the quick brown fox"),
        ("the quick b", "brown fox", "the quick brown fox"),
        ("the cat", " cat, asleep", "the cat, asleep"),
        ("the cat", "cat", "the cat"),
        ("the cat ", "cat", "the cat "),
        ("the cat ", "cat sat", "the cat sat"),
        ("the cat ", " cat sat", "the cat sat"),
        ("Title\n\n", "Title\n\nText", "Title\n\nText"),
        ("Title\n", "\n\nText", "Title\n\nText"),
        ("def f():\n    ", "\n    return", "def f():\n    return"),
        ("今天天气很", "天气很好。", "今天天气很好。"),
        ("le cafe\u0301", "cafe\u0301s", "le cafe\u0301s"),
        ("y" * 300 + " so it", "so it goes", "y" * 300 + " so it goes"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_is_said_again_is_cut(shown, goes_on, whole, size):
    """Repeated words, the beginning of a broken one, and blanks on both sides of the joint count once."""
    assert _joined(shown, [goes_on[at : at + size] for at in range(0, len(goes_on), size)]) == whole


def test_a_repeat_begins_where_a_word_begins_in_a_long_text_too():
    """The limit of 200 characters does not make the rest of a word a word."""
    said, tail = "a" * 50, "b" * 199 + "c"

    assert _joined(said + tail, [" " + tail]) == said + tail + " " + tail


def test_nothing_but_text_is_lost_at_the_joint():
    """The call of a tool, the usage and the finish reason pass while the beginning of the text is held."""
    buffer = StreamBuffer(StreamPolicy.CONTINUE, hold_chars=0)
    shown = [*buffer.take(Piece("We know it. It is"))]
    buffer.begin(go_on=True)
    usage = Usage(3, 4)

    for piece in (Piece("It"), Piece(" is", usage=usage), Piece(structured=True), Piece(finish_reason="tool_calls")):
        shown += buffer.take(piece)
    shown += buffer.end()

    assert shown[1:] == [Piece(usage=usage), Piece(structured=True), Piece(finish_reason="tool_calls")]


def _joined(shown, pieces):
    buffer = StreamBuffer(StreamPolicy.CONTINUE, hold_chars=0)
    out = [*buffer.take(Piece(shown))] if shown else []
    buffer.begin(go_on=buffer.open)
    for piece in pieces:
        out += buffer.take(Piece(piece))
    out += buffer.end()
    return "".join(piece.text for piece in out)


def _starts(text):
    return [match.start() for match in re.finditer(r"(?<!\w)(?<!\w[.-])\w", text)]


def _draft(text, *, logprobs=None):
    model = ScriptedModel().describe(ModelRef("lab:a"))
    return Drafted(Payload(("q",)), Reply(text, logprobs=logprobs, finish_reason="stop"), model)
