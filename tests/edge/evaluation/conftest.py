"""A bundle that thinks in milliseconds, and a product that it can judge."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console, RenderableType

from edge.bundle import Bundle
from tests.build_engines.tiny import tiny_bundle


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real bundle, checked as any other, around a tiny encoder; fp32 and bf16."""
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), ("fp32", "bf16"))


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


def shown(what: RenderableType, columns: int = 140) -> str:
    """What a person sees of it in a terminal of that width."""
    console = Console(width=columns)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """See :func:`write_plates`."""
    return write_plates(tmp_path / "data" / "plates")
