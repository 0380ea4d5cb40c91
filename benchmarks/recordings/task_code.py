"""Small Python functions, judged by running them."""

# ruff: noqa: E501 - a table reads better with one task a line

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from task_shape import Task, code, names, number

_ASK = ("Write a Python function {}. Reply with only the code.", "Python: implement {}. Code only, no explanation, no example calls.")
# difficulty, what the function does, its name, its cases
_FUNCTIONS: Final[tuple[tuple[int, str, str, tuple[tuple[list[Any], Any], ...]], ...]] = (
    (1, "add(a, b) that returns the sum of a and b", "add", (([2, 3], 5), ([-1, 1], 0))),
    (1, "is_even(n) that returns True if n is even", "is_even", (([4], True), ([7], False))),
    (1, "square(x) that returns x squared", "square", (([5], 25), ([-3], 9))),
    (1, "greet(name) that returns 'Hello, ' followed by name", "greet", ((["Ann"], "Hello, Ann"),)),
    (1, "first(items) that returns the first item of a list", "first", (([[3, 4]], 3),)),
    (1, "double_all(xs) that returns a list with every number doubled", "double_all", (([[1, 2]], [2, 4]), ([[]], []))),
    (2, "reverse(text) that returns the string reversed", "reverse", ((["abc"], "cba"), ([""], ""))),
    (2, "largest(xs) that returns the largest number of a list, or None if it is empty", "largest", (([[1, 9, 3]], 9), ([[]], None))),
    (2, "count_vowels(text) that counts the vowels a, e, i, o, u in any case", "count_vowels", ((["Audio"], 4), (["xyz"], 0))),
    (2, "factorial(n) for n >= 0", "factorial", (([5], 120), ([0], 1))),
    (2, "mean(xs) that returns the mean of a list, 0 if it is empty", "mean", (([[1, 2, 3]], 2), ([[]], 0))),
    (2, "is_palindrome(text) that ignores case", "is_palindrome", ((["Level"], True), (["abc"], False))),
    (2, "unique(xs) that removes repeated items and keeps the order", "unique", (([[1, 2, 1, 3]], [1, 2, 3]),)),
    (3, "fizzbuzz(n) that returns 'Fizz', 'Buzz', 'FizzBuzz' or str(n)", "fizzbuzz", (([3], "Fizz"), ([10], "Buzz"), ([30], "FizzBuzz"), ([7], "7"))),
    (3, "is_prime(n)", "is_prime", (([7], True), ([1], False), ([49], False), ([2], True))),
    (3, "fib(n) with fib(0) = 0 and fib(1) = 1", "fib", (([0], 0), ([1], 1), ([10], 55))),
    (3, "word_counts(text) that returns a dict from word to count", "word_counts", ((["a b a"], {"a": 2, "b": 1}),)),
    (3, "gcd(a, b) without imports", "gcd", (([12, 18], 6), ([7, 5], 1))),
    (3, "flatten(xs) that flattens a list of lists by one level", "flatten", (([[[1], [2, 3], []]], [1, 2, 3]),)),
    (3, "title_case(text) that makes the first letter of each word upper case and the rest lower", "title_case", ((["hELLO wORLD"], "Hello World"),)),
    (4, "second_largest(xs) that returns the second largest distinct number or None", "second_largest", (([[5, 1, 5, 3]], 3), ([[2, 2]], None))),
    (4, "rotate(xs, k) that rotates a list to the right by k, k may exceed the length", "rotate", (([[1, 2, 3, 4], 1], [4, 1, 2, 3]), ([[1, 2, 3], 4], [3, 1, 2]))),
    (4, "to_roman(n) for 1 <= n <= 3999", "to_roman", (([4], "IV"), ([1994], "MCMXCIV"), ([58], "LVIII"))),
    (4, "balanced(text) that checks that the brackets ()[]{{}} are balanced", "balanced", ((["([]{})"], True), (["(]"], False), (["(("], False))),
    (4, "chunks(xs, n) that splits a list into lists of n, the last may be shorter", "chunks", (([[1, 2, 3, 4, 5], 2], [[1, 2], [3, 4], [5]]),)),
    (4, "caesar(text, k) that shifts letters by k, keeps case and leaves other characters", "caesar", ((["Abz!", 1], "Bca!"), (["xyz", 3], "abc"))),
    (5, "merge_intervals(xs) that merges overlapping [start, end] lists and returns them sorted", "merge_intervals", (([[[1, 3], [2, 6], [8, 9]]], [[1, 6], [8, 9]]), ([[]], []))),
    (5, "longest_run(text) that returns the length of the longest run of one character", "longest_run", ((["aabbbc"], 3), ([""], 0), (["a"], 1))),
    (5, "edit_distance(a, b), the Levenshtein distance", "edit_distance", ((["kitten", "sitting"], 3), (["", "ab"], 2))),
    (5, "spiral(m) that returns the items of a matrix in clockwise spiral order", "spiral", (([[[1, 2], [3, 4]]], [1, 2, 4, 3]), ([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [1, 2, 3, 6, 9, 8, 7, 4, 5]))),
)  # fmt: skip
# difficulty, code, what it prints
_PRINTS: Final[tuple[tuple[int, str, str], ...]] = (
    (1, "print(2 + 3)", "5"),
    (1, "print('a' + 'b')", "ab"),
    (1, "print(len('cat'))", "3"),
    (2, "x = 4\nx = x * 2\nprint(x)", "8"),
    (2, "print([1, 2, 3][1])", "2"),
    (2, "print(10 // 3)", "3"),
    (2, "print('hello'.upper())", "HELLO"),
    (3, "s = 0\nfor i in range(5):\n    s += i\nprint(s)", "10"),
    (3, "print(17 % 5)", "2"),
    (3, "print('abcdef'[2:4])", "cd"),
    (3, "print(sum([n for n in [1, 2, 3, 4] if n % 2 == 0]))", "6"),
    (4, "d = {'a': 1}\nd['b'] = d['a'] + 4\nprint(sum(d.values()))", "6"),
    (4, "x = [1, 2]\ny = x\ny.append(3)\nprint(len(x))", "3"),
    (4, "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nprint(f(4))", "24"),
    (5, "print(sorted(['b', 'A', 'c'])[1])", "b"),
    (5, "a, b = 1, 1\nwhile b < 20:\n    a, b = b, a + b\nprint(b)", "21"),
    (5, "print('-'.join(str(n * n) for n in range(4))[2:5])", "1-4"),
)


def functions() -> Iterator[Task]:
    """Make one task of each function."""
    for position, (difficulty, what, name, cases) in enumerate(_FUNCTIONS):
        prompt = _ASK[position % 2].format(what.replace("{{", "{").replace("}}", "}"))
        yield Task("code", difficulty, prompt, code(name, *cases), max_tokens=160)


def prints() -> Iterator[Task]:
    """Make one task of each snippet."""
    for difficulty, text, printed in _PRINTS:
        prompt = f"What does this Python code print? Answer with only the output.\n{text}"
        check = number(float(printed)) if printed.isdigit() else names(printed)
        yield Task("code", difficulty, prompt, check, max_tokens=40)
