"""Parts and surfaces that the project renders itself, good and with simple defects.

They calibrate int8 and measure parity on a machine that has no images of its own: free of any
licence, and the same on every machine that builds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edge.image_types import Array, Image

SIDE = 448
"""Width and height of a rendered image in pixels."""

_Renderer = Callable[[np.random.Generator, np.random.Generator, Array], Array]


@dataclass(frozen=True, slots=True)
class RenderedProduct:
    """One product: every part of it has the same design and its own small variations.

    Attributes:
        name: the kind of part and the product's number.
        kind: of the renderers below.
        seed: of the design.
        colour: whether its images are BGR; else grey.
    """

    name: str
    kind: str
    seed: int
    colour: bool

    def good(self, part: int) -> Image:
        """A good part, uint8 (SIDE, SIDE) or (SIDE, SIDE, 3)."""
        return self._photographed(self._drawn(part), part)

    def defective(self, part: int) -> Image:
        """The same part with one defect: a scratch, a spot, a stain or a hole."""
        rng = np.random.default_rng([self.seed, part, 2])
        return self._photographed(_with_defect(self._drawn(part), rng), part)

    def _drawn(self, part: int) -> Array:
        design = np.random.default_rng([self.seed, 0])
        own = np.random.default_rng([self.seed, part, 1])
        tint = design.uniform(0.55, 1.0, 3).astype(np.float32)
        drawn = _RENDERERS[self.kind](design, own, tint)
        angle, shift = own.normal(0, 1.2), own.normal(0, 2.5, 2)
        turned = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, own.normal(1, 0.006))
        turned[:, 2] += shift
        moved: Array = cv2.warpAffine(drawn, turned, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
        return moved

    def _photographed(self, drawn: Array, part: int) -> Image:
        """Light from one side, the lens' blur and the sensor's noise."""
        own = np.random.default_rng([self.seed, part, 3])
        down, right = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j].astype(np.float32)
        slope = own.normal(0, 0.05, 2)
        light = own.normal(1, 0.03) * (1 + slope[0] * (down - 0.5) + slope[1] * (right - 0.5))
        lit = cv2.GaussianBlur(drawn * light[..., None], (0, 0), 0.8)
        noisy = lit + own.normal(0, 2.0, drawn.shape)
        image: Image = np.clip(noisy, 0, 255).astype(np.uint8)
        if not self.colour:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return image


def rendered_products(count: int, seed: int = 0) -> list[RenderedProduct]:
    """``count`` different products; the kinds take turns, and grey ones alternate with colour."""
    kinds = list(_RENDERERS)
    return [
        RenderedProduct(
            name=f"{kinds[number % len(kinds)]}_{number}",
            kind=kinds[number % len(kinds)],
            seed=seed * 1000 + number,
            colour=(number + number // len(kinds)) % 2 == 0,
        )
        for number in range(count)
    ]


def calibration_images(count: int, seed: int = 1) -> list[Image]:
    """Images that together show the encoder what it may meet: one part each of ``count`` products."""
    products = rendered_products(count, seed)
    return [p.defective(i) if i % 4 == 0 else p.good(i) for i, p in enumerate(products)]


def _round(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """A turned part from above: rings, a bore and bolt holes on a plain ground."""
    image = _plain(design.uniform(150, 240) * np.ones(3, np.float32))
    centre, radius = (SIDE // 2, SIDE // 2), int(design.uniform(140, 200))
    for ring in range(int(design.integers(3, 8))):
        shade = design.uniform(30, 230) * tint
        cv2.circle(
            image, centre, int(radius * 0.85**ring * design.uniform(0.9, 1)), shade.tolist(), -1, cv2.LINE_AA
        )
    turn, holes = own.normal(0, 0.02), int(design.integers(0, 9))
    for angle in np.arange(holes) * 2 * np.pi / max(holes, 1) + turn:
        place = (int(centre[0] + 0.6 * radius * np.cos(angle)), int(centre[1] + 0.6 * radius * np.sin(angle)))
        cv2.circle(image, place, 12, (25, 25, 25), -1, cv2.LINE_AA)
    return image + _grain(own, 1.5, 4)


def _rectangular(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """A board: pads, chips and slots in rows."""
    image = _plain(design.uniform(30, 90) * np.ones(3, np.float32))
    cv2.rectangle(image, (40, 60), (SIDE - 40, SIDE - 60), (design.uniform(80, 180) * tint).tolist(), -1)
    for _ in range(int(design.integers(12, 40))):
        x, y = design.integers(50, SIDE - 110), design.integers(70, SIDE - 110)
        width, height = design.integers(8, 60, 2)
        shade = design.uniform(20, 250) * design.uniform(0.6, 1, 3)
        cv2.rectangle(
            image, (int(x), int(y)), (int(x + width), int(y + height)), shade.tolist(), -1, cv2.LINE_AA
        )
    return image + _grain(own, 1.0, 3)


def _printed(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """A label: lines of print and a bar code on bright paper."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    for line in range(6):
        text = "".join(chr(c) for c in design.integers(65, 91, 10))
        cv2.putText(ink, text, (30, 60 + line * 50), line % 3, 1.4, 255, 2, cv2.LINE_AA)
    for x in np.flatnonzero(design.random(90) < 0.5):
        cv2.rectangle(ink, (40 + int(x) * 4, 360), (43 + int(x) * 4, 425), 255, -1)
    paper = _plain(design.uniform(200, 245) * tint**0.3)
    image: Array = paper * (1 - ink[..., None] / np.float32(290)) + _grain(own, 1.2, 6)
    return image


def _metallic(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """Brushed metal: noise drawn out along the brush."""
    length = int(design.integers(61, 181)) | 1
    brushed = cv2.blur(own.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (length, 1))
    brushed *= design.uniform(3, 8) / brushed.std()
    image: Array = _plain(design.uniform(110, 200) * tint**0.2) + brushed[..., None]
    return image


def _woven(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """Cloth: two crossing threads, with uneven tension."""
    down, right = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    warp, weft = design.uniform(0.25, 0.9, 2)
    waves = np.sin(warp * right + _grain(own, 0.5, 30)[..., 0]) * np.sin(weft * down + own.uniform(0, 6))
    image: Array = _plain(design.uniform(90, 180) * tint) + (design.uniform(15, 40) * waves)[..., None]
    return image


def _grainy(design: np.random.Generator, own: np.random.Generator, tint: Array) -> Array:
    """Cast, stone or paper: noise of two sizes."""
    image = _plain(design.uniform(80, 210) * tint**0.6)
    return (
        image
        + _grain(own, design.uniform(4, 14), design.uniform(1, 3))
        + _grain(own, 5, design.uniform(6, 20))
    )


_RENDERERS: dict[str, _Renderer] = {
    "round": _round,
    "rectangular": _rectangular,
    "printed": _printed,
    "metallic": _metallic,
    "woven": _woven,
    "grainy": _grainy,
}


def _plain(shade: Array) -> Array:
    return np.full((SIDE, SIDE, 3), shade, np.float32)


def _grain(rng: np.random.Generator, strength: float, size: float) -> Array:
    """Smooth noise (SIDE, SIDE, 1) of that standard deviation in grey levels and size in pixels."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), size)
    scaled: Array = (noise * (strength / noise.std()))[..., None].astype(np.float32)
    return scaled


def _with_defect(image: Array, rng: np.random.Generator) -> Array:
    x, y = (int(v) for v in rng.integers(SIDE // 4, SIDE * 3 // 4, 2))
    mask = np.zeros((SIDE, SIDE), np.float32)
    kind = rng.choice(["scratch", "spot", "stain", "hole"])
    if kind == "scratch":
        steps = np.cumsum(rng.normal(0, 9, (8, 2)) + rng.normal(0, 9, 2), axis=0) + np.array([x, y])
        cv2.polylines(mask, [steps.astype(np.int32)], False, 1.0, int(rng.integers(2, 5)), cv2.LINE_AA)
    else:
        axes = tuple(int(v) for v in rng.integers(7, 30, 2))
        cv2.ellipse(mask, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    if kind == "stain":
        mask = cv2.GaussianBlur(mask, (0, 0), 6) * 0.7
    if kind == "hole":  # The part's own shade, as flat and dark as its ground would look.
        other = np.full_like(image, rng.uniform(0.2, 0.5) * image.mean(axis=(0, 1)))
    else:
        contrast = rng.choice([-1, 1]) * rng.uniform(40, 110)
        other = image + contrast * rng.uniform(0.6, 1, 3)
    blended: Array = (image * (1 - mask[..., None]) + other * mask[..., None]).astype(np.float32)
    return blended
