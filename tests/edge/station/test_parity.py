"""A precision that failed its parity gate: refused, or accepted and never silent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.bundle import Bundle, Parity, seal
from edge.config import load_station
from edge.errors import BundleError, EngineError
from edge.station.health import Level
from edge.station.opening import opened_station
from edge.vision.openvino import OpenVinoEngine
from tests.edge.commands.conftest import Command, command
from tests.edge.parts import good_part, write_parts
from tests.edge.station.conftest import MakeStation

__all__ = ["command"]

FAILED = Parity(
    against="fp32",
    images=1,
    patch_cosine_mean=0.9,
    patch_cosine_min=0.1,
    image_auroc=1,
    image_auroc_reference=1,
    failed=("patch cosine 0.90000 (limit 0.999)",),
    passed=False,
)


@pytest.fixture
def doubtful(tmp_path: Path, tiny_bundle: Bundle) -> Path:
    """The tiny bundle, its fp32 measured and found wrong."""
    return with_parity(tiny_bundle, FAILED, tmp_path / "doubtful").path


def with_parity(bundle: Bundle, parity: Parity | None, folder: Path) -> Bundle:
    shutil.copytree(bundle.path, folder)
    graphs = {"fp32": bundle.graph("fp32").model_copy(update={"parity": parity})}
    manifest = bundle.manifest.model_copy(update={"graphs": graphs})
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    seal(folder)
    return Bundle.load(folder)


def test_an_engine_of_what_failed_is_refused_with_the_figure_and_the_remedy(doubtful: Path) -> None:
    with pytest.raises(BundleError, match=r"fp32 failed its parity gate: patch cosine 0\.9") as caught:
        OpenVinoEngine(Bundle.load(doubtful), "fp32")
    assert "engine.accept_failed_parity" in caught.value.remedy


def test_what_nobody_has_measured_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    unmeasured = with_parity(tiny_bundle, None, tmp_path / "unmeasured")
    with pytest.raises(BundleError, match="nobody has measured that fp32 is right"):
        OpenVinoEngine(unmeasured, "fp32")
    OpenVinoEngine(unmeasured, "fp32", accept_failed_parity=True).close()


def test_a_station_refuses_it(doubtful: Path, make_station: MakeStation, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts")
    file = make_station(tmp_path / "parts", bundle=str(doubtful), engine={"precision": "fp32"})
    with pytest.raises(BundleError, match="failed its parity gate"), opened_station(load_station(file)):
        pass


def test_a_station_that_is_told_to_takes_it_and_says_so(
    doubtful: Path,
    make_station: MakeStation,
    tmp_path: Path,
    command: Command,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_parts(tmp_path / "parts")
    engine = {"precision": "fp32", "accept_failed_parity": True}
    file = make_station(tmp_path / "parts", bundle=str(doubtful), engine=engine)
    with opened_station(load_station(file)) as station:
        station.run()
        assert station.counters.total > 0
        assert station.health.conditions()["parity"].level is Level.DEGRADED
        # What the health says stands in every state that is published.
        assert "degraded: parity: Bundle tiny: fp32 failed its parity gate" in str(station.health)
    assert "failed its parity gate" in caplog.text
    done = command("doctor", file)
    assert "look   precision" in done.out and "engine.accept_failed_parity is true" in done.out


def test_doctor_says_that_a_station_would_be_refused(
    doubtful: Path, make_station: MakeStation, tmp_path: Path, command: Command
) -> None:
    write_parts(tmp_path / "parts")
    file = make_station(tmp_path / "parts", bundle=str(doubtful), engine={"precision": "fp32"})
    done = command("doctor", file)
    assert done.code == 1
    assert "WRONG  precision" in done.out and "failed its parity gate" in done.out


def test_a_command_takes_it_only_where_it_is_told_to(
    doubtful: Path, tmp_path: Path, command: Command
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "good.png"), good_part(0))
    words = ["enroll", "--product", "plate", tmp_path / "good.png", "--data-dir", tmp_path / "data"]
    words += ["--bundle", doubtful, "--precision", "fp32"]
    assert "failed its parity gate" in command(*words).err
    assert command(*words, "--accept-failed-parity").code == 0


def test_auto_never_takes_it(doubtful: Path) -> None:
    with pytest.raises(EngineError, match="no graph that passed"):
        OpenVinoEngine(Bundle.load(doubtful), accept_failed_parity=True)
