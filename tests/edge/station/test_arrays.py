"""What docs/api.md says of ``import edge`` is run here, line by line, and agrees with the commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.errors import LanguageError, ProductError
from edge.inspection import Verdict
from edge.paths import CACHE_VARIABLE, DATA_VARIABLE, cache_dir
from tests.edge.parts import good_part, stained_part

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
GOOD = [good_part(number) for number in range(3)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the images that the page names, and a data folder below it."""
    for number, image in enumerate(GOOD, 1):
        cv2.imwrite(str(tmp_path / f"good-{number}.png"), image)
    cv2.imwrite(str(tmp_path / "part.png"), stained_part())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return tmp_path


def make_default(bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands and programs find this bundle where they look for the default one."""
    cache = folder / "cache"
    (cache / "bundles").mkdir(parents=True)
    (cache / "bundles" / DEFAULT_BUNDLE).symlink_to(bundle.path)
    if (cache_dir() / "kernels").is_dir():
        (cache / "kernels").symlink_to(cache_dir() / "kernels")  # proved already
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))


def run_page() -> tuple[list[str], int]:
    """Runs the page's examples, one after the other; what they print, and how many lines the first has."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", "".join(blocks)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), len([line for line in blocks[0].splitlines() if line])


def test_the_pages_lines_run_as_they_stand(
    folder: Path, speaking_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_default(speaking_bundle, folder, monkeypatch)
    said, lines = run_page()
    assert lines <= 10
    assert len(said) == 5
    assert said[0].startswith("ng ")
    assert said[1].startswith("Yes"), "the model's sentence, before its answers"
    verdict, highest = said[-1].split()
    assert verdict == "ng" and float(highest) > 0
    assert (folder / "data" / "products" / "plate" / "product.json").is_file()


@pytest.mark.usefixtures("folder")
def test_an_enrolled_product_is_judged_as_inspect_does(tiny_bundle: Bundle) -> None:
    bundle = str(tiny_bundle.path)
    edge.enroll("plate", GOOD, bundle=bundle)
    words = ["--product", "plate", "--bundle", bundle, "--decided-by", "calibration", "--json", "part.png"]
    done = subprocess.run(
        [sys.executable, "-m", "edge", "inspect", *words], capture_output=True, text=True, check=True
    )
    with edge.open_inspector("plate", bundle=bundle) as inspector:
        here = inspector.inspect(stained_part(), "part").to_dict()
    there = json.loads(done.stdout)
    for name in ("verdict", "score", "p_value", "p_anomaly", "location", "regions", "product", "bundle"):
        assert json.loads(json.dumps(here[name])) == there[name], name


def test_images_are_learned_and_not_kept(folder: Path, tiny_bundle: Bundle) -> None:
    with edge.open_inspector(GOOD, bundle=str(tiny_bundle.path)) as inspector:
        assert inspector.inspect(stained_part()).verdict is Verdict.NG
        judged = inspector.judge(GOOD[0], "first")
        assert (judged.inspection.verdict, judged.inspection.part_id) == (Verdict.OK, "first")
        assert judged.anomaly_map is not None and judged.anomaly_map.dtype == np.float32
    assert not (folder / "data").exists()


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_inspected_is_an_error_and_never_ok(tiny_bundle: Bundle) -> None:
    with edge.open_inspector(GOOD, bundle=str(tiny_bundle.path)) as inspector:
        for wrong in (np.zeros((4, 4), np.uint8), np.zeros((96, 128, 2), np.uint8), np.zeros(7, np.uint8)):
            inspection = inspector.inspect(wrong)
            assert inspection.verdict is Verdict.ERROR and inspection.error


@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_said_with_a_remedy(tiny_bundle: Bundle) -> None:
    bundle = str(tiny_bundle.path)
    with pytest.raises(ProductError, match="anomalygpt-edge enroll"), edge.open_inspector("x", bundle=bundle):
        pass
    with pytest.raises(ProductError, match="at least one image"), edge.open_inspector([], bundle=bundle):
        pass
    with (
        edge.open_inspector(GOOD, bundle=bundle) as inspector,
        pytest.raises(LanguageError, match="decided_by='language'"),
    ):
        inspector.ask(GOOD[0], "Where is it?")


def test_importing_edge_imports_nothing_heavy() -> None:
    code = "import sys, edge; print(*{'numpy', 'cv2', 'openvino', 'edge.station'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    with pytest.raises(AttributeError, match="no_such_name"):
        edge.no_such_name  # noqa: B018
