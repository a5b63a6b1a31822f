"""Every measured figure in the pages stands in a file that says how it was measured."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import figures
from tests.docs import PAGES
from tests.figures import FOLDER, ROOT, TABLES, measured

FILES = sorted(FOLDER.glob("*.json"))
BLOCK = re.compile(r"<!-- begin: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
FIGURE = re.compile(r"[−+-]?[\d,]*\.?\d+(e-?\d+)?( ?(ms|s|%|×|MB))?|\d+:\d\d")

# Pages with tables of numbers that nobody measured: how many, and what they are.
NOT_MEASURED = {
    "docs/jetson.md": (1, "versions"),
    "docs/plc.md": (1, "the QoS of each topic"),
}
# Figures of a bundle that has more precisions than the default one.
OTHER_BUNDLES = {"precisions"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_what_was_measured_where_and_how(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    content = json.loads(text)
    about = content["about"]
    assert re.fullmatch(r"[\w-]+-[0-9a-f]{8}", about["bundle"])
    assert content.get("bundle", about["bundle"]) == about["bundle"]
    assert re.match(
        r"(anomalygpt-edge|python -m (build_engines|models|tests\.reliability)) [\w-]", about["command"]
    )
    assert f"--json {file.name}" in about["command"], "the command makes this very file"
    assert datetime.date.fromisoformat(about["date"]) <= datetime.date.today()
    assert about["version"]
    told = {"cpu", "cpus", "instructions", "system", "python", "openvino", "llama_cpp"}
    assert about["machine"].keys() == told
    assert not re.search(r'[" ]/\w', text), "a path of the machine"


def test_the_files_are_of_one_bundle() -> None:
    bundles = {file.stem: measured(file.stem)["about"]["bundle"] for file in FILES}
    assert len({bundle for name, bundle in bundles.items() if name not in OTHER_BUNDLES}) == 1
    assert len({bundle.rpartition("-")[0] for bundle in bundles.values()}) == 1


def test_every_file_is_behind_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set()

    def noted(name: str) -> Mapping[str, Any]:
        asked.add(name)
        return measured(name)

    monkeypatch.setattr(figures, "measured", noted)
    for name, make in TABLES.items():
        if not name.startswith("figures-source-"):
            make()
    assert asked == {file.stem for file in FILES}


def test_every_table_has_its_place() -> None:
    named = {name for page in PAGES for name in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert {*TABLES} <= named


def tables(text: str) -> Iterator[str]:
    """The tables in Markdown."""
    for found in re.finditer(r"(^\|.*\n?)+", text, re.MULTILINE):
        yield found[0]


def figures_in(table: str) -> int:
    """The cells of a table that are a number, perhaps with its unit, and no more."""
    return sum(bool(FIGURE.fullmatch(cell.strip(" *"))) for cell in re.split(r"[|\n]", table))


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("| screw | 54.7 | **51.9** |\n", 2),
        ("| a |\n| zen4 | 39 ms |\n| x64 | 1,020 ms |\n", 2),
        ("| packages | 0:07 | 0:06 | 210 MB |\n", 3),
        ("| layer 2 | 4.5e-4 | −.0025 | 2.27 × |\n", 3),
        ("| layer 2, MLP | ViT-S/14 | 448, 32 × 32 | `0.1` | |\n", 0),  # no cell is a figure alone
    ],
)
def test_a_figure_is_told_from_words(table: str, count: int) -> None:
    assert figures_in(table) == count


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_table_of_figures_was_typed(page: Path) -> None:
    typed = [
        table for table in tables(BLOCK.sub("", page.read_text(encoding="utf-8"))) if figures_in(table) > 1
    ]
    allowed, _ = NOT_MEASURED.get(str(page.relative_to(ROOT)), (0, ""))
    assert len(typed) == allowed, "\n".join(typed)


def test_what_the_pages_say_beside_the_tables_is_what_the_files_say() -> None:
    evaluated, bench = measured("evaluate"), measured("bench")
    products = evaluated["runs"][0]["categories"].values()
    height, width = bench["image_size"]
    bounds = {
        name: 1 - 4 * (1 - measured("parity")["graphs"][name]["patch_cosine_mean"]) - 0.0002
        for name in ("int8", "bf16")
    }
    seeds = {
        len(run["seeds"]) for run in evaluated["runs"] if run["shots"]
    }  # without references none is drawn
    assert (len(products), seeds, measured("dialogue")["parts"]) == (12, {3}, 6 * 12)
    auto = {
        name: " and ".join(
            figures.per_cent(figures.run_of(shots, "view")["categories"][name]["image_auroc"])
            for shots in (1, 4)
        )
        for name in ("screw", "toy_alien")
    }
    said = {
        "README.md": [
            f"screw {auto['screw']}, toy_alien {auto['toy_alien']} (AUROC with 1 and 4 references",
            f"all {sum(one['images'] for one in products):,} of their test images",
            "Twelve products",
        ],
        "docs/benchmarks.md": [
            f"{measured('ablate')['shots']} references, seed {measured('ablate')['seed']}, "
            f"{measured('ablate')['limit']} images of each product",
            f"{measured('banks')['shots']} references, {measured('banks')['limit']} images of each product",
            f"{bench['parts']} rendered parts of {width} × {height} pixels, {bench['references']} references",
            "twelve products",
            "means over three seeds",
            "six parts of each product",
        ],
        "docs/precisions.md": [
            f"for int8 of `dinov2-s` a mean cosine of {bounds['int8']:.4f}".replace("0.", "."),
            f"for bf16 {bounds['bf16']:.4f}".replace("0.", "."),
        ],
    }
    for page, sentences in said.items():
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert [sentence for sentence in sentences if sentence not in text] == [], page
