"""A station file's text becomes plain data, and every key and value keeps its place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.config.document import Place, SyntaxProblem, parse


class _QuotingDumper(yaml.SafeDumper):
    """Quotes every text: PyYAML writes YAML 1.1, where ``0E0`` is a text; here it is a number."""


_QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),  # YAML 1.1 would say false
        ("12:30", "12:30"),  # ... 750
        ("2026-11-23", "2026-11-23"),  # ... a date
        ("0x1F", "0x1F"),
        ("010", 10),  # ... 8
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ("", None),
        ("-3", -3),
        ("1e3", 1000.0),  # ... text
        (".5", 0.5),
        ("'7'", "7"),
        ("1" * 30, float("1" * 30)),
    ],
)
def test_scalars_are_what_they_look_like(text: str, value: Any) -> None:
    parsed = parse(f"key: {text}").data["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_every_key_and_scalar_has_its_place() -> None:
    document = parse("a:\n  b: 1\nc:\n  - x\n  - {d: y}\n")
    assert document.data == {"a": {"b": 1}, "c": ["x", {"d": "y"}]}
    assert document.keys[("a", "b")] == Place(2, 3)
    assert document.scalars[("a", "b")] == (Place(2, 6), "1")
    assert document.keys[("c", 1)] == Place(5, 5)
    assert document.scalars[("c", 1, "d")] == (Place(5, 9), "y")


def test_a_key_that_stands_twice_is_told_and_the_first_value_kept() -> None:
    document = parse("a: 1\nb: 2\na: 3\n")
    assert document.repeated == [(("a",), Place(3, 1))]
    assert document.data == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb:\n\t- c", 3, "use spaces"),
        ("a: b: c", 1, "put text with ': ' in quotes"),
        ("a: 1\nb: *x", 2, "aliases"),
        ("a: &x 1", 1, "anchors"),
        ("a: !!python/object:os.system x", 1, "tags"),
        ("a: !local x", 1, "tags"),
        ("a: !!set {x}", 1, "tags"),
        ("a:\n  b: 1\n c: 2", 3, "indent"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: 'x", 1, "end of stream"),
        ("a: 1\nb: \x00", 2, "U+0000"),
        ("? [a]\n: b", 1, "key must be text"),
        ("[" * 5000, 1, "nested too deeply"),
    ],
)
def test_text_that_is_no_station_file_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(SyntaxProblem, match=says.replace("+", r"\+")) as caught:
        parse(text)
    assert caught.value.place.line == line


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="ascii")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef_", min_size=1), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_what_yaml_writes_is_read_back(data: Any) -> None:
    assert parse(yaml.dump(data, Dumper=_QuotingDumper)).data == data


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except SyntaxProblem as problem:
        assert problem.place.line >= 1
        assert problem.reason
