import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import ConfigError
from mien.toml_json import (
    check_types,
    dotted,
    expected,
    from_values,
    parse_json,
    parse_toml,
    read_toml,
    to_json,
    to_toml,
)


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    loud: bool = False


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 3
    kind: Literal["plain", "fancy"] = "plain"
    side: Literal[1, 3] = 1
    seeds: tuple[int, ...] = expected("whole numbers, for example [0, 1]", default=())
    pairs: tuple[tuple[int, float], ...] = ()
    words: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Free:
    values: Mapping[str, Any]
    title: str | None = None


names = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(allow_nan=False)
records = st.builds(
    Outer,
    names,
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(["plain", "fancy"]),
    st.sampled_from([1, 3]),
    st.lists(st.integers(-99, 99)).map(tuple),
    st.lists(st.tuples(st.integers(-9, 9), numbers)).map(tuple),
    st.lists(names).map(tuple),
    st.builds(Inner, numbers, st.booleans()),
)


@given(records)
def test_a_record_survives_its_toml(record):
    assert from_values(Outer, tomllib.loads(to_toml(record))) == record


def test_json_has_lists_and_whole_numbers_where_a_record_has_tuples_and_floats():
    made = from_values(Outer, parse_json(json.dumps({"name": "a", "pairs": [[1, 2]], "inner": {"rate": 1}})))
    assert made == Outer("a", pairs=((1, 2.0),), inner=Inner(1.0))
    assert isinstance(made.inner.rate, float)
    assert isinstance(made.pairs[0][1], float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "key name is missing: expected text"),
        ({"nam": "a"}, "unknown key nam (did you mean 'name'?): expected one of count, inner, kind,"),
        ({"name": 3}, "name is 3: expected text"),
        ({"name": "a", "count": True}, "count is True: expected a whole number"),
        ({"name": "a", "count": 1.0}, "count is 1.0: expected a whole number"),
        ({"name": "a", "kind": "fancie"}, "kind is 'fancie' (did you mean 'fancy'?): expected one of plain, fancy"),
        ({"name": "a", "side": True}, "side is True: expected one of 1, 3"),
        ({"name": "a", "side": 2}, "side is 2: expected one of 1, 3"),
        ({"name": "a", "seeds": 3}, "seeds is 3: expected whole numbers, for example [0, 1]"),
        ({"name": "a", "seeds": [True]}, "seeds is [True]: expected whole numbers"),
        ({"name": "a", "pairs": [[1, 2, 3]]}, "pairs is [[1, 2, 3]]: expected a list"),
        ({"name": "a", "words": "abc"}, "words is 'abc': expected a list of texts"),
        ({"name": "a", "inner": 3}, "inner is 3: expected a section of keys"),
        ({"name": "a", "inner": {"raet": 1}}, "unknown key inner.raet (did you mean 'rate'?)"),
        ({"name": "a", "inner": {"loud": 1}}, "inner.loud is 1: expected true or false"),
        ({"name": "a", "inner": {"rate": "fast"}}, "inner.rate is 'fast': expected a number"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_key(values, message):
    with pytest.raises(ConfigError) as caught:
        from_values(Outer, values)
    assert str(caught.value).startswith(message)


def test_a_key_with_a_default_can_be_required():
    with pytest.raises(ConfigError, match=r"key at\.loud is missing: expected true or false"):
        from_values(Inner, {"rate": 1}, "at.", required={"loud"})


def test_any_section_and_none_pass():
    assert from_values(Free, {"values": {"a": [1]}, "title": None}) == Free({"a": [1]})
    with pytest.raises(ConfigError, match="title is 3: expected text"):
        from_values(Free, {"values": {}, "title": 3})
    with pytest.raises(ConfigError, match="values is 3: expected a section of keys"):
        from_values(Free, {"values": 3})


def test_a_record_made_by_hand_can_be_checked():
    check_types(Outer("a", seeds=(1,)))
    with pytest.raises(ConfigError, match=r"seeds is \('1',\): expected whole numbers"):
        check_types(Outer("a", seeds=("1",)))


@pytest.mark.parametrize("text", ["", "[]", "3", '{"a": NaN}', '{"a": -Infinity}', '{"a":', '{"a":' + "[" * 100_000])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(ConfigError, match="not JSON"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": %s}' % ("1" * 5000), "a whole number of more than 4300 digits"),
        ('{"a": Infinity}', "Infinity is not a JSON value"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "the key 'b' comes twice"),
        ('{"a": ["\\ud83d"]}', "half of a surrogate pair, which is no character"),
        ('{"\\uDE00": 1}', "half of a surrogate pair, which is no character"),
        ("[" * 100_000, "nested too deeply"),
        ("", "it is empty"),
    ],
)
def test_what_is_wrong_with_json_is_said(text, says):
    with pytest.raises(ConfigError) as caught:
        parse_json(text)
    assert str(caught.value) == f"not JSON ({says})"


def test_a_whole_surrogate_pair_is_a_character():
    assert parse_json('{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_what_is_wrong_with_toml_is_said():
    for text, says in ((f"a = {'1' * 5000}", "of more than 4300 digits"), ("a = " + "[" * 100_000, "nested too deep")):
        with pytest.raises(ConfigError, match=says):
            parse_toml(text)


def test_what_is_no_toml_is_refused_by_name(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"a\.toml: not a TOML file"):
        read_toml(path)
    for text in ("a = ", "a = " + "[" * 100_000):
        with pytest.raises(ConfigError, match=r"^not a TOML file \("):
            parse_toml(text)
    with pytest.raises(OSError, match="gone"):
        read_toml(tmp_path / "gone.toml")


def test_a_toml_file_may_begin_with_the_mark_that_windows_writes(tmp_path):
    (tmp_path / "a.toml").write_text('"é" = "happy"\n', encoding="utf-8-sig")
    assert read_toml(tmp_path / "a.toml") == {"é": "happy"}


def test_values_in_sections_have_dotted_names():
    values = {"a": 1, "b": {"c": [2, 3], "d": {"e": None}, "f": {}}}
    assert list(dotted(values)) == [("a", 1), ("b.c", [2, 3]), ("b.d.e", None)]


def test_a_json_document_ends_its_last_line_and_holds_numbers_only():
    text = to_json({"a": [1, {"b": 0.5}]})
    assert text.endswith("}\n")
    assert parse_json(text) == {"a": [1, {"b": 0.5}]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": float("nan")})
