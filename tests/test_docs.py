"""Files that a page of the documentation names are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from pydantic import TypeAdapter

from build_engines.sources import Source
from edge.cli import cli
from edge.config import StationConfig, load_station
from tests.docs import MADE, remade

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
ALL_PAGES = [ROOT / "README.md", *PAGES, *sorted((ROOT / "configs").rglob("*.md"))]
SNIPPETS = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in ALL_PAGES
    for number, text in enumerate(
        re.findall(r"^```ya?ml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    )
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_every_test_that_stands_beside_a_fault_is_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`((?:\.\./)?[\w/]*test_\w+\.py)(?:::(test_\w+))?`", page)
    assert len(named) > 20
    for path, name in named:
        file = ROOT / "tests" / "edge" / path
        assert file.is_file(), path
        assert not name or f"def {name}(" in file.read_text(), f"{path}::{name}"


def test_the_jetson_page_names_files_that_are_there() -> None:
    page = (ROOT / "docs" / "jetson.md").read_text()
    named = set(re.findall(r"(?:requirements|docker)/[\w./-]*\w", page))
    pins = {f"requirements/{locked}jetpack-{number}.txt" for locked in ("", "locked/") for number in (6, 7)}
    assert pins | {"docker/jetson.Dockerfile"} == named
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_yaml_snippet_is_taken_as_it_stands(snippet: str, tmp_path: Path) -> None:
    """A station's sections as ``check`` takes them, a bundle's source as the presets' schema takes it."""
    sections = yaml.safe_load(snippet)
    if set(sections) == {"source"}:
        open_pins = {r"sha256: …": "sha256: " + "a" * 64, r"bytes: …": "bytes: 1"}
        for pin, value in (open_pins | {"40 hexadecimal digits": "a" * 40}).items():
            snippet = snippet.replace(pin, value)
        TypeAdapter(Source).validate_python(yaml.safe_load(snippet)["source"])
        return
    assert set(sections) <= set(StationConfig.model_fields)
    needed = {"station": "{name: s}", "product": "p", "camera": "{kind: folder, path: parts}"}
    if "cameras" in sections:
        del needed["camera"]
    rest = "".join(f"{key}: {value}\n" for key, value in needed.items() if key not in sections)
    (tmp_path / "station.yaml").write_text(rest + snippet)
    load_station(tmp_path / "station.yaml")


def command_named(words: list[str]) -> click.Command | None:
    """The command, or the group's subcommand, that words of a command line name."""
    command = cli.get_command(click.Context(cli), words[0])
    if isinstance(command, click.Group) and len(words) > 1:
        return command.get_command(click.Context(command), words[1]) or command
    return command


def unknown_options(command: click.Command, text: str) -> set[str]:
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - known


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_shown_is_one(page: Path) -> None:
    text = page.read_text().replace("\\\n", " ")
    shown = re.findall(r"^\$? *anomalygpt-edge ([^#\n]+)", text, re.MULTILINE)
    shown += [" ".join(line.split()) for line in re.findall(r"`anomalygpt-edge ([^`]+)`", text)]
    for line in shown:
        command = command_named(line.split())
        assert command is not None, f"{page.name}: anomalygpt-edge {line}"
        assert unknown_options(command, line) == set(), f"{page.name}: anomalygpt-edge {line}"


def test_what_is_made_from_the_code_is_what_the_code_says() -> None:
    """Where this fails: ``python -m tests.docs --write``.

    In a process of its own: click keeps the help option that a command was first called with.
    """
    done = subprocess.run([sys.executable, "-m", "tests.docs"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_is_made_from_the_code_stands_on_some_page() -> None:
    begun = [name for page in ALL_PAGES for name in re.findall(r"<!-- begin: ([\w-]+) -->", page.read_text())]
    assert sorted(begun) == sorted(MADE)
    ends = sum(page.read_text().count("<!-- end -->") for page in ALL_PAGES)
    assert ends == len(MADE)


def test_the_readme_has_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = re.findall(r"^\| `([\w-]+)` \|", readme, re.MULTILINE)
    assert listed == cli.list_commands(click.Context(cli))


def test_a_page_that_says_something_else_is_made_anew() -> None:
    page = "before\n<!-- begin: commands -->\n| `gone` | is no command |\n<!-- end -->\nafter\n"
    made = remade(page)
    assert "gone" not in made and "| `schema` |" in made
    assert made.startswith("before\n<!-- begin") and made.endswith("<!-- end -->\nafter\n")
    assert remade(made) == made
