"""JSON and tool calls."""

from __future__ import annotations

import random
from collections.abc import Iterator

from task_shape import Task, json_equal

_NAMES = ("Ann", "Ben", "Cleo", "Dev", "Eva", "Finn", "Hana", "Ivo")
_CITIES = (("Rome", "Italy"), ("Paris", "France"), ("Oslo", "Norway"), ("Lima", "Peru"), ("Cairo", "Egypt"), ("Tokyo", "Japan"))
_END = ("Output only the JSON.", "Reply with JSON and nothing else.", "Answer with the JSON only.")


def json_tasks(seed: int = 106) -> Iterator[Task]:
    """Make about 55 JSON values: one object, lists, nested ones, and ones that need a small computation."""
    chance = random.Random(seed)
    position = 0
    for _ in range(7):
        for difficulty, text, value in _values(chance):
            yield Task("json", difficulty, f"{text} {_END[position % 3]}", json_equal(value), max_tokens=90)
            position += 1


def _values(chance: random.Random) -> Iterator[tuple[int, str, object]]:
    who, other = chance.sample(_NAMES, 2)
    (city, country), age, count = chance.choice(_CITIES), chance.randint(20, 60), chance.randint(2, 9)
    yield 1, f'Write a JSON object with key "name" set to "{who}" and key "age" set to {age}.', {"name": who, "age": age}
    yield 1, f'Write a JSON array of the strings "{who}" and "{other}".', [who, other]
    text = f'Convert to a JSON object with keys "city" and "country": The city is {city} and the country is {country}.'
    yield 2, text, {"city": city, "country": country}
    text = f'Convert to a JSON object with the keys "name" (string) and "age" (number): {who} is {age} years old.'
    yield 2, text, {"name": who, "age": age}
    text = f'Write a JSON object with key "user" whose value is an object with "id" {count} and "roles", an array with the string "admin".'
    yield 3, text, {"user": {"id": count, "roles": ["admin"]}}
    text = f'Convert to JSON with keys "item", "quantity" (number) and "paid" (boolean): {count} lamps, not paid yet. The item is "lamp".'
    yield 3, text, {"item": "lamp", "quantity": count, "paid": False}
    text = f'Turn this CSV into a JSON array of objects with string "name" and number "age":\nname,age\n{who},{age}\n{other},{age + 2}\n'
    yield 4, text, [{"name": who, "age": age}, {"name": other, "age": age + 2}]
    text = f'Order: {count} pens at 2 dollars each. Give a JSON object with numbers "quantity", "unit_price" and "total".'
    yield 4, text, {"quantity": count, "unit_price": 2, "total": 2 * count}
    text = (
        f"{who} ({age}, {city}) manages {other}, who is {age - 5} and lives in {city} too. "
        f'Give a JSON array of two objects with "name", "age", "city" and "manager" (null where there is none), {who} first.'
    )
    boss = {"name": who, "age": age, "city": city, "manager": None}
    yield 5, text, [boss, {"name": other, "age": age - 5, "city": city, "manager": who}]


_TOOLS = """\
Tools:
get_weather(city: string)
convert(amount: number, from: string, to: string)
add_event(title: string, date: string YYYY-MM-DD)
search(query: string)
Answer with one JSON object {"tool": ..., "arguments": {...}} and nothing else; if no tool fits, answer {"tool": "none"}.
Request: """


def calls(seed: int = 107) -> Iterator[Task]:
    """Make about 40 requests for one of four tools or none."""
    chance = random.Random(seed)
    for turn in range(8):
        city = _CITIES[turn % 6][0]
        amount, day = chance.randint(5, 90), chance.randint(10, 28)
        ask = ("What is the weather in {}?", "How warm is it in {} right now?", "Tell me whether it rains in {}.")[turn % 3]
        yield _call(1, ask.format(city), "get_weather", {"city": city})
        first, second = (("USD", "EUR"), ("EUR", "JPY"), ("GBP", "USD"))[turn % 3]
        yield _call(2, f"Convert {amount} {first} to {second}.", "convert", {"amount": amount, "from": first, "to": second})
        ask = ('Search for "{}".', 'Look up "{}" please.')[turn % 2]
        topic = ("red pandas", "train strikes", "bread recipes", "moon phases")[turn % 4]
        yield _call(2, ask.format(topic), "search", {"query": topic})
        title = ("Dentist", "Standup", "Review", "Lunch")[turn % 4]
        text = (f'Put "{title}" on my calendar for 2025-03-{day}.', f'Add the event "{title}" on March {day}, 2025.')[turn % 2]
        yield _call(2 + turn % 2, text, "add_event", {"title": title, "date": f"2025-03-{day}"})
        if amount % 2:
            text, value = f"How many {second} are 2 times {amount} {first}?", amount * 2
        else:
            text, value = f"I have {amount} {first}. How many {second} is half of that?", amount // 2
        yield _call(5, text, "convert", {"amount": value, "from": first, "to": second})
        text = ("Thanks, that was all.", "Tell me that you are happy.", "Write hello.", "Good night!")[turn % 4]
        yield Task("tool_call", 4, _TOOLS + text, json_equal({"tool": "none"}), max_tokens=60)


def _call(difficulty: int, text: str, tool: str, arguments: dict[str, object]) -> Task:
    return Task("tool_call", difficulty, _TOOLS + text, json_equal({"tool": tool, "arguments": arguments}), max_tokens=60)
