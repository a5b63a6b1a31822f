"""Without any reference the text map alone gives map, score and verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle, Language
from edge.errors import BundleError, ProductError
from edge.inspection import Verdict
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.zero_shot import ZeroShotScale, zero_shot_memory
from tests.edge.commands.conftest import Command, command
from tests.edge.parts import good_part, stained_part, write_parts

__all__ = ["command"]


def saying(bundle: Bundle, **trained: str) -> Bundle:
    """The bundle, whose training left these words."""
    language = Language(
        gguf="a",
        base_rows="b",
        part_rows=10,
        architecture="llama",
        embedding_width=576,
        trained=trained,
    )
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"language": language}))


class TestScale:
    def test_is_what_training_measured(self, tiny_bundle: Bundle) -> None:
        bundle = saying(tiny_bundle, zero_shot_usual="0.3", zero_shot_gain="4", zero_shot_boundary="0.25")
        assert ZeroShotScale.of(bundle) == ZeroShotScale(0.3, 4.0, 0.25)

    def test_falls_back_where_training_did_not_measure(self, tiny_bundle: Bundle) -> None:
        assert ZeroShotScale.of(tiny_bundle) == ZeroShotScale(0.5, 1.0, 0.5)
        assert ZeroShotScale.of(saying(tiny_bundle, zero_shot_gain="2")) == ZeroShotScale(0.5, 2.0, 0.5)

    @pytest.mark.parametrize(
        "trained",
        [
            {"zero_shot_usual": "much"},
            {"zero_shot_usual": "1"},
            {"zero_shot_gain": "0"},
            {"zero_shot_gain": "inf"},
            {"zero_shot_boundary": "-1"},
            {"zero_shot_boundary": "nan"},
        ],
    )
    def test_that_cannot_be_is_refused(self, tiny_bundle: Bundle, trained: dict[str, str]) -> None:
        with pytest.raises(BundleError, match="cannot be used"):
            ZeroShotScale.of(saying(tiny_bundle, **trained))


def test_a_bundle_without_a_text_map_needs_a_reference(tiny_bundle: Bundle) -> None:
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    with pytest.raises(ProductError, match="no text map"):
        zero_shot_memory(engine, tiny_bundle)
    engine.close()


@pytest.fixture(scope="module")
def engine(default_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(default_bundle)
    yield engine
    engine.close()


@pytest.mark.slow
class TestMap:
    def test_is_the_text_map_above_what_is_usual(
        self, engine: OpenVinoEngine, default_bundle: Bundle
    ) -> None:
        encoded = engine.encode(stained_part())
        assert encoded.text is not None
        usual = float(np.median(encoded.text))
        scale = {"zero_shot_usual": str(usual), "zero_shot_gain": "2", "zero_shot_boundary": "0.1"}
        inspector = Inspector(engine, zero_shot_memory(engine, saying(default_bundle, **scale)))
        finding = inspector.inspect_encoded(
            [encoded], inspector.memory.view.anchored((96, 128), engine.input_size)
        )
        above = np.maximum(encoded.text - np.float32(usual), 0).reshape(engine.grid)
        smooth = 2 * cv2.GaussianBlur(above, (3, 3), 0.5, borderType=cv2.BORDER_REPLICATE).ravel()
        top = np.sort(smooth)[-max(1, round(smooth.size * 0.01)) :]
        assert finding.score == pytest.approx(float(top.mean()), abs=2e-4)
        assert finding.verdict is (Verdict.NG if finding.score >= 0.1 else Verdict.OK)
        assert finding.map.shape == engine.input_size

    def test_promises_nothing(self, engine: OpenVinoEngine, default_bundle: Bundle) -> None:
        memory = zero_shot_memory(engine, default_bundle)
        assert memory.references == 0
        assert Inspector(engine, memory).inspect(good_part()).p_value == 1.0

    def test_is_the_same_each_time(self, engine: OpenVinoEngine, default_bundle: Bundle) -> None:
        inspector = Inspector(engine, zero_shot_memory(engine, default_bundle))
        first, again = inspector.inspect(stained_part()), inspector.inspect(stained_part())
        np.testing.assert_array_equal(first.map, again.map)
        assert first.rows is not None
        np.testing.assert_array_equal(first.rows, again.rows)


@pytest.mark.slow
def test_inspect_needs_no_product_for_it(command: Command, default_bundle: Bundle, tmp_path: Path) -> None:
    image = write_parts(tmp_path / "parts", good=1)[0]
    at = ["--zero-shot", "--bundle", default_bundle.path, image]
    done = command("inspect", "--json", *at)
    assert (done.code, done.err) == (0, "")
    inspection = json.loads(done.out)
    assert (inspection["product"], inspection["references"]) == ("", 0)
    assert inspection["verdict"] in ("ok", "ng")
    by_score = json.loads(command("inspect", "--json", "--decided-by", "calibration", *at).out)
    assert by_score["score"] == inspection["score"]
    assert command("inspect", "--product", "plate", *at).code == 2
