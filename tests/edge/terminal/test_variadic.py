"""Options that take several values read as they are written."""

from __future__ import annotations

import ast

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.terminal.variadic import VariadicCommand


@click.command(cls=VariadicCommand)
@click.argument("folders", nargs=-1)
@click.option("--seeds", "-s", multiple=True, type=int, default=(0,))
@click.option("--shots", multiple=True, type=click.IntRange(min=1), default=(1,))
@click.option("--name")
@click.option("--fast", is_flag=True)
def probe(**values: object) -> None:
    click.echo(repr(values))


def parsed(*words: str) -> dict[str, object]:
    result = CliRunner().invoke(probe, words)
    assert result.exit_code == 0, result.output
    values: dict[str, object] = ast.literal_eval(result.output)
    return values


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {"seeds": (0,), "shots": (1,)}),
        (("--seeds", "0", "1", "2"), {"seeds": (0, 1, 2)}),
        (("--seeds", "0", "--seeds", "1"), {"seeds": (0, 1)}),  # click's own way
        (("--seeds=0", "1"), {"seeds": (0, 1)}),
        (("-s", "3", "4"), {"seeds": (3, 4)}),
        (("--seeds", "1", "-2"), {"seeds": (1, -2)}),
        (("--seeds", "1", "2", "--shots", "4", "8"), {"seeds": (1, 2), "shots": (4, 8)}),
        (("a", "b", "--seeds", "1", "2"), {"seeds": (1, 2), "folders": ("a", "b")}),
        (("--seeds", "1", "2", "a", "3"), {"seeds": (1, 2), "folders": ("a", "3")}),  # after a, 3 is a folder
        (("--seeds", "1", "./2"), {"seeds": (1,), "folders": ("./2",)}),
        (("--seeds", "1", "--", "2"), {"seeds": (1,), "folders": ("2",)}),
        (("--seeds", "1", "2", "--fast", "3"), {"seeds": (1, 2), "fast": True, "folders": ("3",)}),
        (("--name", "7", "8"), {"name": "7", "folders": ("8",)}),  # takes one value, as declared
        (("--name", "--seeds", "8"), {"name": "--seeds", "folders": ("8",)}),
    ],
)
def test_values_belong_to_their_option(words: tuple[str, ...], expected: dict[str, object]) -> None:
    got = parsed(*words)
    assert {name: got[name] for name in expected} == expected


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8))
def test_any_numbers_arrive_in_order(numbers: list[int]) -> None:
    assert parsed("--seeds", *map(str, numbers), "--fast")["seeds"] == tuple(numbers)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds",), "Option '--seeds' requires an argument"),
        (("--seeds", "one"), "'one' is not a valid integer"),
        (("--shots", "0"), "0 is not in the range x>=1"),
        (("--seeds", "1", "--slow"), "No such option"),
    ],
)
def test_what_is_wrong_is_said_by_the_name_of_the_option(words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(probe, words)
    assert result.exit_code == 2
    assert message in result.output
