"""How hard a request is: what is read, how sure that is, and what a reply takes over."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from decision_pools import decide, model

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.types import Difficulty, RoutingDecision, RoutingRequest, TaskType

DATA = Path(__file__).parents[4] / "benchmarks" / "classifier"
HARD = "Implement a lock-free hash map in Rust and prove that it is linearizable."


def read(text="", **said):
    """Return the profile of a text."""
    return TextClassifier().classify(RoutingRequest(task_description=text, **said))


def ranked(values):
    """Return the mean rank of every value."""
    values = np.asarray(values)
    return (values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2


def heldout(name):
    """Return the rows of a file that nothing was fitted to."""
    rows = [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["part"] == "heldout"]


@pytest.mark.parametrize(
    "text",
    [
        "say hi",
        "What is 7 + 5?",
        "hello!",
        "What is the capital of Spain?",
        "translate 'tree' to French",
        "Sag bitte hallo",
        "你好",
        "thanks a lot",
    ],
)
def test_trivial_request_is_easy(text):
    """Greetings, sums and facts that everybody knows are at most 3."""
    assert read(text).complexity.value <= 3


@pytest.mark.parametrize(
    "text",
    [
        "Prove the Riemann hypothesis for function fields.",
        "Design a Byzantine fault tolerant consensus protocol.",
        "lock-free queue in C++",
        "Write a wait-free stack.",
        "Differential diagnosis: fever, rash, joint pain.",
        "Beweise die Riemannsche Vermutung für Funktionenkörper.",
        "Diagnostic différentiel d'une ataxie aiguë",
        "Demuestra la hipótesis de Riemann.",
        "设计一个拜占庭容错的共识协议",
        "リーマン予想を証明せよ",
        "Докажи гипотезу Римана.",
    ],
)
def test_research_level_request_is_hard_however_short(text):
    """Proofs, consensus protocols, lock-free code and differential diagnoses are at least 7 in every language."""
    assert read(text).complexity.value >= 7


@pytest.mark.parametrize(
    "text",
    [
        "What does lock-free mean?",
        "Who proved Fermat's last theorem?",
        "How do you spell 'cohomology'?",
        "Translate 'differential diagnosis' into Polish.",
    ],
)
def test_naming_a_hard_subject_is_not_hard(text):
    """A word, a name or a date about a hard subject stays below 5."""
    assert read(text).complexity.value <= 4


def test_long_easy_request_is_easier_than_a_short_hard_one():
    """Length alone does not make a request hard."""
    long = "Please put the following into capital letters: " + "we walked along the river until we came to the mill and had a rest. " * 20

    assert read(long).difficulty.mean + 3 < read("Prove the Hodge conjecture.").difficulty.mean


def test_difficulty_is_read_on_held_out_prompts():
    """On prompts that nothing was fitted to, by both authors: Spearman at least 0.85, and hardly one easy for hard or hard for easy."""
    rows = heldout("difficulty.jsonl")
    profiles = [read(row["prompt"]) for row in rows]
    grades = np.array([np.mean(row["grades"]) for row in rows])
    values = np.array([profile.complexity.value for profile in profiles])

    assert len(rows) >= 150
    assert {row["author"] for row in rows} == {"d", "e"}
    assert np.corrcoef(ranked([profile.difficulty.mean for profile in profiles]), ranked(grades))[0, 1] >= 0.85
    assert (values[grades >= 8.5] >= 7).mean() >= 0.95
    assert (values[grades >= 8.5] >= 6).all()
    assert (values[grades <= 2] <= 3).mean() >= 0.9


def test_confidence_is_calibrated_on_held_out_prompts():
    """The confidence that is stated is within eight points of how often the grade is within one; the doubtful half is right less often."""
    rows = [row for row in heldout("difficulty.jsonl") if row["kind"] == "request"]
    readings = [read(row["prompt"]).complexity for row in rows]
    right = np.array([abs(reading.value - np.mean(row["grades"])) <= 1 for reading, row in zip(readings, rows, strict=True)])
    stated = np.array([reading.confidence for reading in readings])
    sure = stated >= np.median(stated)

    assert stated.mean() == pytest.approx(right.mean(), abs=0.08)
    assert right[sure].mean() > right[~sure].mean()


@pytest.mark.parametrize("text", ["yes, do it", "and the second one?", "ja, bitte", "oui", "好的", "option b", "go ahead"])
def test_bare_reply_alone_is_low_with_a_wide_spread(text):
    """What a reply without a chat asks for is not known: it is read as easy, and less sure than any request."""
    reply, request = read(text), read("What is 7 + 5?")

    assert reply.complexity.value <= 4
    assert reply.difficulty.spread > 1.5 * request.difficulty.spread
    assert reply.complexity.confidence < request.complexity.confidence


@pytest.mark.parametrize("messages", [(), ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},)])
def test_request_without_text_has_a_wide_spread(messages):
    """Nothing, or a picture alone, does not say how hard the request is."""
    assert read(messages=messages).difficulty.spread > 1.5 * read("What is 7 + 5?").difficulty.spread


@dataclass
class Said:
    """A message as chat libraries have it."""

    type: str
    content: str


@pytest.mark.parametrize("reply", ["yes, do it", "go ahead", "ja, mach das", "是的"])
@pytest.mark.parametrize(
    "message",
    [
        lambda role, text: {"role": role, "content": text},
        lambda role, text: (role, text),
        lambda role, text: Said({"user": "human", "assistant": "ai"}[role], text),
        lambda role, text: {"role": role, "content": [{"type": "text", "text": text}]},
    ],
    ids=["dictionary", "pair", "object", "blocks"],
)
def test_reply_takes_the_difficulty_of_what_it_answers(reply, message):
    """A bare reply in a chat is as hard, and as surely so, as the request before it."""
    chat = (message("user", HARD), message("assistant", "Shall I start?"), message("user", reply))

    assert read(messages=chat).difficulty == read(HARD).difficulty


def test_reply_to_an_offer_is_as_hard_as_the_offer():
    """What the assistant offered last counts when the user accepts it."""
    chat = [
        {"role": "user", "content": "What is a mutex?"},
        {
            "role": "assistant",
            "content": "A lock that one thread holds.\n\nShall I implement a lock-free MPMC queue in C++ and prove it linearizable?",
        },
        {"role": "user", "content": "yes please"},
    ]

    assert read(messages=chat).complexity.value >= 7


def test_reply_skips_earlier_replies():
    """Several replies in a row answer the last real request."""
    chat = [{"role": "user", "content": text} for text in (HARD, "yes", "go on")]

    assert read(messages=chat).difficulty == read(HARD).difficulty


def test_follow_up_is_read_with_what_it_follows():
    """A short follow-up is not read alone."""
    chat = [{"role": "user", "content": "Write a lock-free queue in C++."}, {"role": "user", "content": "now in Rust"}]

    assert read(messages=chat).difficulty.mean > read("now in Rust").difficulty.mean + 2


def test_new_question_in_a_hard_chat_is_read_alone():
    """What was asked before does not make a question of its own harder."""
    chat = [{"role": "user", "content": HARD}, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "What is 7 + 5?"}]

    assert read(messages=chat).difficulty == read("What is 7 + 5?").difficulty


def test_results_of_tools_do_not_change_the_difficulty():
    """The request of the user counts while an agent works on it, not what its tools return."""
    chat = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "tool", "content": "Theorem: every sheaf cohomology group vanishes. Proof. " * 50},
    ]

    assert read(messages=chat).difficulty == read("What is the weather in Oslo?").difficulty


def test_stated_complexity_has_no_doubt():
    """The caller's complexity wins, without a spread."""
    profile = read("Prove the Hodge conjecture.", complexity=2)

    assert (profile.complexity.value, profile.complexity.source, profile.complexity.confidence) == (2, "caller", 1.0)
    assert profile.difficulty == Difficulty(2.0, 0.0)


def test_share_between_two_difficulties():
    """Two thirds lie within one spread of the mean; without a spread all lies at the mean."""
    assert Difficulty(5.0, 2.0).share_between(3.0, 7.0) == pytest.approx(0.683, abs=0.001)
    assert Difficulty(5.0, 2.0).share_between(-100.0, 100.0) == pytest.approx(1.0)
    assert Difficulty(4.0, 0.0).share_between(3.0, 5.0) == 1.0
    assert Difficulty(4.0, 0.0).share_between(5.0, 6.0) == 0.0


def test_difficulty_is_kept_with_a_decision():
    """A decision that was written and read has the same difficulty; one that was written without any is still read."""
    decision = decide([model("a:x")], RoutingRequest(task_description=HARD))
    data = decision.to_dict()

    assert RoutingDecision.from_dict(data).profile.difficulty == decision.profile.difficulty
    del data["profile"]["difficulty"]
    assert RoutingDecision.from_dict(data).profile.difficulty is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("What is your refund policy if I am not happy with the product?", TaskType.SECURITY_AUDIT),
        ("How do I get a refund for a cancelled concert?", TaskType.SECURITY_AUDIT),
        ("We have a race condition in the order service, what could cause it?", TaskType.MULTIMODAL),
        ("Find the race condition in this code: if (x == null) x = new X();", TaskType.MULTIMODAL),
        ("Write a lock-free queue in Java.", TaskType.CREATIVE),
        ("Implement a lock-free ring buffer in C.", TaskType.CREATIVE),
        ("Differential diagnosis of acute chest pain", TaskType.CODE_GENERATION),
    ],
)
def test_task_type_is_not_the_one_that_single_words_suggest(text, wrong):
    """A policy is no audit, a race no film, a lock-free queue no poem, a diagnosis no program."""
    assert read(text).task_type.value is not wrong


def test_easily_mistaken_task_types_are_read():
    """Of prompts whose words suggest another type, held back from training, at least four in five are read rightly."""
    rows = heldout("confusable.jsonl")

    right = [read(row["prompt"]).task_type.value == row["task_type"] for row in rows]

    assert len(rows) >= 30
    assert sum(right) / len(right) >= 0.8


def test_nothing_held_out_is_among_the_sentences_that_train():
    """No held-out prompt is a sentence or a subject of the training frames, or a prompt of the other part."""
    lists = json.loads((DATA / "difficulty_frames.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (DATA / "difficulty.jsonl").read_text(encoding="utf-8").splitlines()]
    learnt = {text for texts in lists["fillers"].values() for text in texts} | {row["prompt"] for row in rows if row["part"] == "training"}

    plain = {text.lower().strip(" .!?") for text in learnt}

    assert not [row["prompt"] for row in heldout("difficulty.jsonl") if row["prompt"].lower().strip(" .!?") in plain]
