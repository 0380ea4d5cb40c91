"""Reading YAML safely: plain data in, one clear error for anything else."""

import itertools
import os
import time

import pytest

from crew_router.config.schema.plain import plain_mapping
from crew_router.config.schema.yaml_reader import MAX_BYTES, parse_mapping, read_mapping, resolve_scalar
from crew_router.errors import ConfigurationError


def alias_bomb():
    """Nine aliases of nine aliases, twelve times: 9**12 texts."""
    first = "a: &a [" + ",".join("x" * 9) + "]\n"
    names = "abcdefghijklm"
    return first + "".join(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise(names))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-0.5", -0.5),
        ("1e-5", 1e-5),
        ("0x1F", 31),
        ("true", True),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-11-01", "2026-11-01"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    """Only what YAML 1.2 calls null, boolean or number is one; a country code or a time stays text."""
    assert resolve_scalar(text) == value


def test_document_becomes_plain_data():
    """Mappings, lists, quoted texts, block texts and harmless aliases are read."""
    text = """
    # a comment
    names: &names [a, "1", '2']
    again: *names
    block: |
      one
      two
    nested: {deep: {flag: false, none: }}
    """

    read = parse_mapping(text, "file.yaml")

    assert read == {
        "names": ["a", "1", "2"],
        "again": ["a", "1", "2"],
        "block": "one\ntwo\n",
        "nested": {"deep": {"flag": False, "none": None}},
    }


def test_json_is_read_too():
    """A JSON file is YAML."""
    assert parse_mapping('{"a": [1, 2.5, null, "x"]}', "file.json") == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; write at least one key"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n- b\n", "holds a list, not a mapping"),
        ("just words", "holds a single value, not a mapping"),
        ("a: [1, 2", "syntax error in line 2"),
        ("a: 1\n\tb: 2\n", "line 2.*indent with spaces, not with tabs"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
        ("1: x", "the key '1' is not text; put it in quotes"),
        ("null: x", "the key 'null' is not text"),
        ("? [a, b]\n: 1", "a key is a list or mapping"),
        ("a: &k x\n*k : 1", "a key is an alias"),
        ("a: !!python/object/apply:os.system ['true']", "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read"),
        ("a: !secret x", "the tag '!secret' is not read"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "merge keys"),
        ("a: &a [*a]", "the alias 'a' has no finished anchor"),
        ("a: *nothing", "(?i)alias"),
        ("a: 1\n---\nb: 2\n", "a second document starts"),
        ("a: \x00", "syntax error: "),
        ("a: " + "9" * 5000, "is too large"),
        ("a: 0x" + "f" * 5000, "is too large"),
        (r'a: "\ud83d"', "file.yaml: "),
        ("a: " + "[" * 40, "nested deeper than 32 levels"),
        ("{a: " * 40, "nested deeper than 32 levels"),
        (alias_bomb(), "the aliases expand to more than 4,194,304 characters"),
        ("a: &a " + "x" * 500_000 + "\nb: [" + ",".join(["*a"] * 1000) + "]", "the aliases expand to more than"),
    ],
)
def test_what_is_not_plain_data_gives_one_clear_error(text, message):
    """Each kind of bad text is named with its place and what to do."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_mapping(text, "file.yaml")

    assert str(caught.value).startswith("file.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 1_000_000, "{" * 1_000_000, "- " * 500_000, "a: " + "&a " * 300_000, '"' + "\\x41" * 250_000, alias_bomb()]
)
def test_hostile_text_is_refused_quickly(text):
    """Text made to exhaust stack, memory or time is refused within two seconds."""
    started = time.process_time()

    with pytest.raises(ConfigurationError):
        parse_mapping(text, "file.yaml")

    assert time.process_time() - started < 2


def test_missing_file_is_named(tmp_path):
    """A path that does not exist is in the message."""
    path = tmp_path / "nowhere.yaml"

    with pytest.raises(ConfigurationError, match="no such file") as caught:
        read_mapping(path)

    assert caught.value.place == str(path)


def test_file_over_the_limit_is_refused_unread(tmp_path):
    """A 10 MB file is refused with its size and the limit."""
    path = tmp_path / "big.yaml"
    path.write_text("a: 1\n" * (2 * MAX_BYTES))

    with pytest.raises(ConfigurationError, match=r"10,485,760 bytes, the limit is 1,048,576 \(1 MiB\)"):
        read_mapping(path)


def test_file_that_is_not_utf8_is_named_with_its_line(tmp_path):
    """The line of the first wrong byte is in the message."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: Köln\n".encode("latin-1"))

    with pytest.raises(ConfigurationError, match="line 2 is not UTF-8"):
        read_mapping(path)


def test_byte_order_mark_is_accepted(tmp_path):
    """Files written by Windows editors are read."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_mapping(path) == {"a": 1}


def test_pipe_is_refused_without_waiting(tmp_path):
    """A named pipe would never end; it is refused unopened."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)

    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_mapping(path)


def test_path_with_a_null_byte_is_refused(tmp_path):
    """A path that no file can have is an error of ours, not of the system."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_mapping(tmp_path / "a\0b.yaml")


def test_values_given_in_code_become_plain(tmp_path):
    """Tuples, sets and paths have a plain form."""
    assert plain_mapping({"a": (1, 2), "b": {"x"}, "c": tmp_path}, "config") == {"a": [1, 2], "b": ["x"], "c": str(tmp_path)}


def circular():
    """Return a dictionary that contains itself."""
    values = {}
    values["a"] = values
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": {1: 2}}, "config: a: the key 1 is not text"),
        ({"a": [object()]}, r"config: a\.0: .* no form in YAML"),
        (circular(), "nested deeper"),
    ],
)
def test_values_without_a_plain_form_are_named(values, message):
    """An object, a key that is not text and a circle are errors that name the key."""
    with pytest.raises(ConfigurationError, match=message):
        plain_mapping(values, "config")
