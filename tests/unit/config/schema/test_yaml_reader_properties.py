"""Whatever stands in a file or dictionary, reading ends in a value or in one typed error of one line."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from crew_router.config.load import load_config
from crew_router.config.router_config import RouterConfig
from crew_router.config.schema.yaml_reader import parse_mapping
from crew_router.errors import ConfigurationError

YAML_BITS = st.sampled_from(
    [
        "a",
        "models",
        "price",
        ": ",
        ":\n  ",
        "- ",
        "\n",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&x ",
        "*x",
        "!!str ",
        "|\n ",
        "'",
        '"',
        "#",
        "---\n",
        "\t",
        "1",
        "?",
    ]
)
KEYS = st.sampled_from(["models", "a:b", "price", "input", "budgets", "user", "policies", "then", "strategy", "task_types", "x"]) | st.text(
    max_size=3
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
FINITE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


def outcome(read, *given_values):
    """Return what a reader returns, or its typed error."""
    try:
        return read(*given_values)
    except ConfigurationError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(st.lists(YAML_BITS, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_a_mapping_or_one_error(text):
    """No text of YAML's own signs, and no other, gets anything else out of the reader."""
    found = outcome(parse_mapping, text, "file.yaml")

    assert isinstance(found, (dict, ConfigurationError))
    assert not isinstance(found, ConfigurationError) or str(found).isprintable()


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_dictionary_is_a_configuration_or_one_error(values):
    """No dictionary given in code gets a traceback, or a message of several lines, out of the loader."""
    found = outcome(load_config, {"registry": "none", **values}, {})

    assert isinstance(found, (RouterConfig, ConfigurationError))
    assert not isinstance(found, ConfigurationError) or str(found).isprintable()


@given(st.dictionaries(st.text("abc", min_size=1), FINITE, max_size=4))
def test_json_comes_out_as_it_went_in(values):
    """JSON is read without loss."""
    assert parse_mapping(json.dumps(values), "file.json") == values
