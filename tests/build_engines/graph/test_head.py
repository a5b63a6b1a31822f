"""The head inside the graph computes what its definition says, in another runtime."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest

from build_engines.graph.head import HeadSpec, write_head
from build_engines.graph.onnx_writer import FLOAT, GraphWriter

SPEC = HeadSpec(size=(140, 112), patch=14, width=16)
PATCHES = 80


def run(taps: list[np.ndarray], bank: np.ndarray, scale: tuple[float, float]) -> dict[str, np.ndarray]:
    writer = GraphWriter()
    names = [f"tap.{i}" for i in range(len(taps))]
    head = write_head(writer, names, SPEC)
    inputs = [(name, FLOAT, [1, PATCHES, SPEC.width]) for name in names]
    model = writer.model("head", [*inputs, *head.inputs], head.outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = dict(zip(names, taps, strict=True)) | {"bank": bank, "scale": np.array(scale, np.float32)}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


@pytest.mark.parametrize("count", [1, 4])
def test_features_map_and_score_are_as_defined(count: int) -> None:
    rng = np.random.default_rng(count)
    taps = [rng.normal(size=(1, PATCHES, SPEC.width)).astype(np.float32) for _ in range(count)]
    bank = unit(rng.normal(size=(37, SPEC.width))).astype(np.float32)
    out = run(taps, bank, (0.2, 3.0))

    features = unit(np.sum([unit(tap[0]) for tap in taps], axis=0))
    distance = (1 - (features @ bank.T).max(axis=1)).reshape(10, 8)
    smooth = cv2.GaussianBlur(distance, (3, 3), 0.5, borderType=cv2.BORDER_REPLICATE)
    calibrated = (smooth - 0.2) * 3.0
    np.testing.assert_allclose(out["features"], features, atol=1e-5)
    np.testing.assert_allclose(out["score"], calibrated.max(), atol=1e-5)  # 1 % of 80 patches is one
    spread = cv2.GaussianBlur(calibrated, (5, 5), 1.1, borderType=cv2.BORDER_REPLICATE)
    enlarged = cv2.resize(spread, (112, 140), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(out["map"], enlarged, atol=1e-4)


def test_what_is_in_the_bank_is_good() -> None:
    rng = np.random.default_rng(0)
    tap = rng.normal(size=(1, PATCHES, SPEC.width)).astype(np.float32)
    out = run([tap], unit(tap[0]), (0.0, 1.0))
    np.testing.assert_allclose(out["map"], 0, atol=1e-5)


def test_a_bank_of_any_length_fits_the_same_graph() -> None:
    rng = np.random.default_rng(0)
    tap = rng.normal(size=(1, PATCHES, SPEC.width)).astype(np.float32)
    for rows in (1, 5000):
        bank = unit(rng.normal(size=(rows, SPEC.width))).astype(np.float32)
        distance = (1 - (unit(tap[0]) @ bank.T).max(axis=1)).reshape(10, 8)
        smooth = cv2.GaussianBlur(distance, (3, 3), 0.5, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(run([tap], bank, (0, 1))["score"], smooth.max(), atol=1e-5)
