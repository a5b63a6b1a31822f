"""A bundle that thinks in milliseconds, and a product that it can judge."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from build_engines.export import save_onnx, vision_graph
from build_engines.vit import LayerWeights, VitWeights
from edge.bundle import Bundle, BundleFile, Encoder, Graph, Manifest, Parity
from edge.fetch import sha256_of

SIZE, PATCH, WIDTH, TAPS = (112, 112), 14, 64, (0, 1)
_UNMEASURED = Parity(
    against="itself",
    images=0,
    patch_cosine_mean=1.0,
    patch_cosine_min=1.0,
    image_auroc=1.0,
    image_auroc_reference=1.0,
    passed=True,
)


def random_vit(rng: np.random.Generator) -> VitWeights:
    """A transformer of two layers that never learned anything: patches still differ as images do."""

    def normal(*shape: int, scale: float = 0.05) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    def norm() -> tuple[np.ndarray, np.ndarray]:
        return np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def layer() -> LayerWeights:
        return LayerWeights(
            norm1=norm(),
            qkv=(normal(WIDTH, 3 * WIDTH), normal(3 * WIDTH)),
            attention_out=(normal(WIDTH, WIDTH), normal(WIDTH)),
            norm2=norm(),
            mlp_in=(normal(WIDTH, 2 * WIDTH), normal(2 * WIDTH)),
            mlp_out=(normal(2 * WIDTH, WIDTH), normal(WIDTH)),
        )

    return VitWeights(
        patch_weight=normal(WIDTH, 3, PATCH, PATCH),
        patch_bias=normal(WIDTH),
        class_token=normal(WIDTH),
        class_position=normal(WIDTH),
        patch_positions=normal(8, 8, WIDTH),
        pre_norm=None,
        layers=(layer(), layer()),
        heads=2,
        activation="gelu",
        epsilon=1e-6,
        pixel_mean=(0.485, 0.456, 0.406),
        pixel_std=(0.229, 0.224, 0.225),
    )


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real bundle, checked as any other, around a tiny encoder."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    save_onnx(vision_graph(random_vit(np.random.default_rng(0)), SIZE, TAPS), folder / "vision.fp32.onnx")
    file = folder / "vision.fp32.onnx"
    manifest = Manifest(
        name="tiny",
        encoder=Encoder(
            family="dinov2", input_size=SIZE, patch=PATCH, taps=TAPS, width=WIDTH, feature_width=WIDTH
        ),
        graphs={
            "fp32": Graph(file=file.name, float_type="f32", parity=_UNMEASURED),
            "bf16": Graph(file=file.name, float_type="bf16", parity=_UNMEASURED),
        },
        origins=(),
        tools={},
        files={file.name: BundleFile(sha256=sha256_of(file), bytes=file.stat().st_size)},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1))
    return Bundle.load(folder)


def good_part(number: int) -> np.ndarray:
    """A dark plate with a bright disc and a little noise; uint8 (96, 128, 3)."""
    rng = np.random.default_rng(number)
    image = np.full((96, 128, 3), 60, np.uint8)
    cv2.circle(image, (64, 48), 30, (150, 160, 170), -1)
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def stained_part(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A part with a black stain on its disc's lower right, and the stain's mask."""
    mask = np.zeros((96, 128), np.uint8)
    cv2.circle(mask, (78 + number, 62), 9, 255, -1)
    image = good_part(100 + number)
    image[mask > 0] = 5
    return image, mask


def write_plates(folder: Path, masks: bool = True) -> Path:
    """The plates as a category in the layout of MVTec AD: 5 to learn from, 4 good, 4 stained."""
    for name in ("train/good", "test/good", "test/stain", "ground_truth/stain"):
        (folder / name).mkdir(parents=True)
    for number in range(5):
        cv2.imwrite(str(folder / f"train/good/{number}.png"), good_part(number))
    for number in range(4):
        image, mask = stained_part(number)
        cv2.imwrite(str(folder / f"test/good/{number}.png"), good_part(50 + number))
        cv2.imwrite(str(folder / f"test/stain/{number}.png"), image)
        if masks:
            cv2.imwrite(str(folder / f"ground_truth/stain/{number}_mask.png"), mask)
    return folder


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """See :func:`write_plates`."""
    return write_plates(tmp_path / "data" / "plates")
