"""How a part is photographed: light, lens, sensor, and how much parts of one product vary.

All of it is drawn once for a product and then, around that, for each of its parts. How much good parts
differ from each other is the one thing that a single reference cannot tell, so it is what is varied most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from edge.image_types import Array, Image
from models.data.rendered import SIDE

_NOISE_SIDE = 1024
_JPEG_SHARE = 0.25
_LEAST_BRIGHT = 140.0
_MOST_GAIN = 3.0


@dataclass(frozen=True, slots=True)
class CaptureConditions:
    """The camera and the light that all parts of one product share.

    Attributes:
        colour: whether images are BGR; else grey.
        variation: how much good parts vary, from nearly not at all (0.1) to clearly (1).
        gamma: of the camera; 1 leaves the picture as it is.
        blur_px: of the lens, as a standard deviation.
        noise: of the sensor, as a standard deviation in grey levels.
        mottle: own shade of each part, in grey levels: stains that no one calls a defect.
        mottle_scale: of that shade, an index of ``_NOISE_SIZES_PX``.
        gain: how far a part's brightness goes from the others', as a standard deviation.
        slope: how far its light falls off over the image, as a standard deviation.
        tint: how far the brightness of its channels goes apart, as a standard deviation.
        jpeg: quality of a compressed camera stream; 0 for none.
    """

    colour: bool
    variation: float
    gamma: float
    blur_px: float
    noise: float
    mottle: float
    mottle_scale: int
    gain: float
    slope: float
    tint: float
    jpeg: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> CaptureConditions:
        """A camera and a light as there may be."""
        variation = float(np.exp(rng.uniform(np.log(0.1), 0)))
        return cls(
            colour=bool(rng.random() < 0.72),
            variation=variation,
            gamma=float(np.exp(rng.normal(0, 0.2))),
            blur_px=float(rng.choice([0.0, rng.uniform(0.4, 1.6)])),
            noise=float(np.exp(rng.uniform(np.log(0.4), np.log(5)))),
            mottle=variation * float(rng.choice([0.0, rng.uniform(1, 9)])),
            mottle_scale=int(rng.integers(1, len(_NOISE_SIZES_PX))),
            gain=variation * float(rng.uniform(0.01, 0.13)),
            slope=variation * float(rng.uniform(0.02, 0.22)),
            tint=variation * float(rng.choice([0.0, rng.uniform(0, 0.06)])),
            jpeg=int(rng.integers(55, 96)) if rng.random() < _JPEG_SHARE else 0,
        )

    def photographed(self, scene: Image, rng: np.random.Generator) -> Image:
        """What the camera makes of a scene (SIDE, SIDE, 3): uint8 (SIDE, SIDE[, 3])."""
        light = _light(rng, self.gain, self.slope)
        # The tables hold the gamma curve and the channels' gains; the light's fall-off follows.
        curve = 255 * (np.arange(256) / 255) ** self.gamma
        gains = 1 + rng.normal(0, self.tint, 3)
        image = cv2.LUT(scene, np.clip(curve[:, None] * gains, 0, 255).astype(np.uint8)[None])
        if not self.colour:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        blur_px = self.blur_px * (1 + self.variation * rng.uniform(-0.25, 0.25))
        if blur_px > 0.25:
            image = cv2.GaussianBlur(image, (0, 0), blur_px)
        if self.mottle:
            light = light + noise_field(rng, self.mottle_scale) * np.float32(self.mottle / 128)
        if image.ndim == 3:
            light = cv2.merge([light] * 3)
        lit = cv2.multiply(image, light, dtype=cv2.CV_32F)
        noise = noise_field(rng, 0)
        if image.ndim == 3:  # A colour sensor's channels are noisy each on their own.
            noise = cv2.merge([noise, noise_field(rng, 0), noise_field(rng, 0)])
        taken: Image = cv2.addWeighted(lit, 1, noise, self.noise, 0, dtype=cv2.CV_8U)
        if self.jpeg:
            written = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])[1]
            taken = np.asarray(cv2.imdecode(written, cv2.IMREAD_UNCHANGED), np.uint8)
        return taken


_NOISE_SIZES_PX = (0.0, 1.2, 3.0, 10.0, 40.0)


def exposed(picture: Image, opaque: Image | None = None) -> Image:
    """A picture (H, W, 3) that is darker than a camera would expose it, brightened; others as they are.

    ``opaque`` (H, W) is above 0 where the picture counts.
    """
    pixels = picture if opaque is None else picture[opaque > 0]
    bright = float(np.percentile(pixels[..., 1], 95)) if pixels.size else 255.0
    if bright >= _LEAST_BRIGHT:
        return picture
    gain = min(_MOST_GAIN, _LEAST_BRIGHT / max(bright, 1))
    return np.asarray(cv2.convertScaleAbs(picture, alpha=gain), np.uint8)


def noise_field(rng: np.random.Generator, scale: int, side: int = SIDE) -> Array:
    """Smooth noise of one of ``_NOISE_SIZES_PX``, float32 (side, side), deviation 1, mean about 0."""
    tile = _noise_tile(scale)
    top, left = rng.integers(0, _NOISE_SIDE - side + 1, 2)
    window = tile[top : top + side, left : left + side]
    if rng.random() < 0.5:
        window = window.T
    return np.ascontiguousarray(window if rng.random() < 0.5 else -window)


@cache
def _noise_tile(scale: int) -> Array:
    """Drawn once: fresh noise for every image would take longer than all the rest of it."""
    noise = np.random.default_rng([7, scale]).standard_normal((_NOISE_SIDE, _NOISE_SIDE), np.float32)
    if _NOISE_SIZES_PX[scale]:
        noise = cv2.GaussianBlur(noise, (0, 0), _NOISE_SIZES_PX[scale])
    scaled: Array = ((noise - noise.mean()) / noise.std()).astype(np.float32)
    return scaled


def _light(rng: np.random.Generator, gain: float, slope: float) -> Array:
    """The factor of the light at each pixel, float32 (SIDE, SIDE): a level and a fall-off to one side."""
    level = float(np.exp(rng.normal(0, gain)))
    across = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
    down, right = rng.normal(0, slope, 2)
    fall_off = 1 + np.float32(down) * across[:, None] + np.float32(right) * across
    return np.asarray(level * fall_off, np.float32)
