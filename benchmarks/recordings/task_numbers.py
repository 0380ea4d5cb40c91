"""Arithmetic and word problems, generated."""

from __future__ import annotations

import random
from collections.abc import Iterator

from task_shape import Task, number

_ASK = (
    "What is {}? Give only the number.",
    "Calculate {}. Answer with the number only.",
    "{} = ? Reply with just the result.",
    "Work out {} and give the final answer as a number.",
)
_PEOPLE = ("Ann", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun")
_GOODS = ("apples", "pens", "stickers", "cards", "marbles", "books", "coins", "shells")


def arithmetic(seed: int = 101) -> Iterator[Task]:
    """Make about 90 sums from 3 + 4 to (23 + 19) * 7 - 45 / 9."""
    chance = random.Random(seed)
    for position, (difficulty, text, value) in enumerate(_sums(chance)):
        yield Task("arithmetic", difficulty, _ASK[position % len(_ASK)].format(text), number(value))


def _sums(chance: random.Random) -> Iterator[tuple[int, str, float]]:
    for _ in range(11):
        a, b = chance.randint(1, 9), chance.randint(1, 9)
        yield 1, f"{a} + {b}", a + b
        high, low = max(a, b) + 3, min(a, b)
        yield 1, f"{high} - {low}", high - low
    for _ in range(10):
        a, b = chance.randint(11, 89), chance.randint(11, 89)
        yield 2, f"{a} + {b}", a + b
        yield 2, f"{max(a, b) + 7} - {min(a, b)}", max(a, b) + 7 - min(a, b)
    for _ in range(7):
        a, b = chance.randint(12, 29), chance.randint(3, 9)
        yield 3, f"{a} * {b}", a * b
        yield 3, f"{a * b} / {b}", a
    for _ in range(4):
        share, whole = chance.choice((10, 20, 25, 50, 75)), chance.choice((40, 80, 120, 200, 360))
        yield 3, f"{share}% of {whole}", share * whole / 100
    for _ in range(14):
        a, b = chance.randint(13, 98), chance.randint(12, 79)
        yield 4, f"{a} * {b}", a * b
    for _ in range(7):
        a, b, c, d, e = (chance.randint(3, 29) for _ in range(5))
        yield 5, f"({a} + {b}) * {c} - {d * e} / {e}", (a + b) * c - d
        yield 5, f"the remainder of {a * 37 + b} divided by {c + 4}", (a * 37 + b) % (c + 4)


def word_problems(seed: int = 102) -> Iterator[Task]:
    """Make about 75 word problems of one to five steps."""
    chance = random.Random(seed)
    for turn in range(15):
        who, other = chance.sample(_PEOPLE, 2)
        goods = chance.choice(_GOODS)
        a, b, c, d = chance.randint(4, 12), chance.randint(2, 6), chance.randint(2, 5), chance.randint(2, 9)
        for difficulty, story, value in (_one(turn, who, goods, a, b), *_more(turn, who, other, goods, (a, b, c, d))):
            if difficulty <= 2:  # noqa: PLR2004 - the easy ones need no working
                yield Task("word_problem", difficulty, f"{story} Answer with only the number.", number(value))
            else:
                ending = "Think in at most three short lines, then end with 'Answer: ' and the number."
                yield Task("word_problem", difficulty, f"{story} {ending}", number(value), max_tokens=120)


def _one(turn: int, who: str, goods: str, a: int, b: int) -> tuple[int, str, float]:
    if turn % 3 == 0:
        return 1, f"{who} has {a} {goods} and gets {b} more. How many {goods} does {who} have now?", a + b
    if turn % 3 == 1:
        return 1, f"{who} had {a + b} {goods} and gave away {b}. How many {goods} are left?", a
    return 1, f"There are {a} boxes with {b} {goods} in each box. How many {goods} are there?", a * b


def _more(turn: int, who: str, other: str, goods: str, n: tuple[int, int, int, int]) -> Iterator[tuple[int, str, float]]:
    a, b, c, d = n
    if turn % 2:
        yield 2, f"{who} buys {a} {goods} at {b} dollars each and pays with {a * b + d} dollars. How much change in dollars?", d
        story = (
            f"{who} packs {a * c} {goods} into bags of {c} and then sells each bag for {b + d} dollars. How many dollars does {who} get?"
        )
        yield 3, story, a * (b + d)
        story = (
            f"A train leaves at 9:{10 + d} and travels for {b} hours and {30 + c} minutes with a stop of {a} minutes on top. "
            f"How many minutes after 9:00 does it arrive?"
        )
        yield 4, story, 10 + d + b * 60 + 30 + c + a
        story = (
            f"{who} is {c} times as old as {other}. In {b} years the sum of their ages will be {d * (c + 1) + 2 * b}. "
            f"How old is {other} now?"
        )
        yield 5, story, d
    else:
        yield 2, f"{who} has {a} {goods}. {other} has {b} times as many. How many do they have together?", a + a * b
        story = f"{who} reads {a} pages a day from Monday to Friday and {a + d} pages on Saturday. How many pages is that in the week?"
        yield 3, story, 5 * a + a + d
        story = (
            f"A shop sells {goods} in packs of {a} for {b + 4} dollars. {who} needs {a * c + 1} {goods} and buys whole packs. "
            f"How many dollars does {who} pay?"
        )
        yield 4, story, (c + 1) * (b + 4)
        story = (
            f"{who} spends a quarter of the money on food and a third of the rest on books. "
            f"Then {10 * d} dollars are left. How many dollars were there at first?"
        )
        yield 5, story, 20 * d
