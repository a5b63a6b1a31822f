"""Which pictures of a package are photographs or textures of something, and which are not.

Games hold far more than surfaces: normal maps, height maps, buttons, skies, sheets of sprites. Their
names give most of them away, their pixels the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.image_types import Image

PictureKind = Literal["surface", "object"]

LEAST_SURFACE_PX = 256
"""The least side of a surface, in pixels."""

LEAST_OBJECT_PX = 130
"""The least longer side of a cut-out's opaque part, in pixels."""

_TECHNICAL_NAME = re.compile(
    r"_(nm|sm|gm|rm|n|s|g|norm|normal|local|bump|height|spec|specular|gloss|glow|luma|blend|alpha|mask|lm)$"
    r"|normal|bump|heightmap|lightmap|colormap|hmap|specular|envmap|skybox|sprite|icon|cursor|font|logo"
)
_LEAST_SPREAD = 3.0
_LEAST_LEVELS = 24
_MOST_OF_ONE_COLOUR = 0.35
_DARKEST_MEAN = 14.0
_OPAQUE = 200
_TRANSPARENT = 50
_HASH_SIDE = 8


@dataclass(frozen=True, slots=True)
class UsablePicture:
    """What a usable picture shows.

    Attributes:
        kind: a ``surface`` to crop from, or an ``object`` that its alpha channel cuts out.
        fingerprint: 64 bits that near-duplicates share but for a few.
    """

    kind: PictureKind
    fingerprint: int


def is_technical(stem: str) -> bool:
    """Whether a file's name says that it is no picture of a thing but data for a renderer or a button."""
    return _TECHNICAL_NAME.search(stem.lower()) is not None


def read_picture(path: Path) -> Image | None:
    """A file's pixels as they are stored, (H, W[, 3 or 4]); None where OpenCV cannot read it."""
    import cv2

    content = np.fromfile(path, np.uint8)
    picture: Image | None = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    return picture


def judge(picture: Image) -> UsablePicture | None:
    """What a decoded picture is good for, uint8 (H, W[, 3 or 4]); None where it is no use."""
    if picture.dtype != np.uint8:
        return None
    if picture.ndim == 3 and picture.shape[2] == 4:
        alpha = picture[:, :, 3]
        if (alpha < _OPAQUE).mean() > 0.002:
            return _judge_object(picture, alpha)
        picture = picture[:, :, :3]
    return _judge_surface(picture)


def opaque_box(alpha: Image) -> tuple[slice, slice]:
    """Rows and columns that hold all opaque pixels of an alpha channel (H, W); empty where none is."""
    rows = np.flatnonzero((alpha >= _OPAQUE).any(axis=1))
    columns = np.flatnonzero((alpha >= _OPAQUE).any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def distances(fingerprint: int, others: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """In how many bits a fingerprint differs from each of the others: uint8 (N,)."""
    bits = np.unpackbits((others ^ np.uint64(fingerprint)).view(np.uint8).reshape(-1, 8), axis=1)
    return np.asarray(bits.sum(axis=1), np.uint8)


def _judge_surface(picture: Image) -> UsablePicture | None:
    if min(picture.shape[:2]) < LEAST_SURFACE_PX or max(picture.shape[:2]) > 4 * min(picture.shape[:2]):
        return None
    small = _shrunk(picture, 128)
    grey = _grey(small)
    levels = np.bincount(grey.ravel(), minlength=256)
    flat = _most_of_one_colour(_shrunk(picture, 512, exact=True)) > _MOST_OF_ONE_COLOUR
    if grey.std() < _LEAST_SPREAD or np.count_nonzero(levels) < _LEAST_LEVELS or flat:
        return None
    if grey.mean() < _DARKEST_MEAN or _is_normal_map(small):
        return None
    return UsablePicture("surface", _fingerprint(grey))


def _judge_object(picture: Image, alpha: Image) -> UsablePicture | None:
    rows, columns = opaque_box(alpha)
    box = alpha[rows, columns]
    if box.size == 0 or max(box.shape) < LEAST_OBJECT_PX or min(box.shape) < 0.3 * max(box.shape):
        return None
    share = (box >= _OPAQUE).mean()
    # Glass, smoke and shadows are neither there nor not there: their cut-outs look like no part.
    soft = ((box < _OPAQUE) & (box > _TRANSPARENT)).mean()
    if not 0.35 <= share <= 0.985 or soft > 0.15:
        return None
    colours = picture[rows, columns][box >= _OPAQUE][:, :3]
    grey = _grey(picture[rows, columns, :3])
    if grey[box >= _OPAQUE].std() < 2 * _LEAST_SPREAD or _most_of_one_colour(colours[None]) > 0.4:
        return None
    grey[box < _OPAQUE] = 255
    return UsablePicture("object", _fingerprint(grey))


def _is_normal_map(picture: Image) -> bool:
    """Vectors that point at the viewer, coded as colours: blue at its greatest, red and green halfway."""
    if picture.ndim == 2:
        return False
    blue, green, red = (float(channel) for channel in picture.reshape(-1, 3).mean(axis=0))
    return blue > 190 and abs(green - 128) < 25 and abs(red - 128) < 25


def _most_of_one_colour(picture: Image) -> float:
    """The share of the pixels that have the commonest colour to the bit: large in drawings."""
    flat = picture.reshape(-1, picture.shape[2]) if picture.ndim == 3 else picture.reshape(-1, 1)
    codes = flat.astype(np.uint32) @ (256 ** np.arange(flat.shape[1], dtype=np.uint32))
    return float(np.unique(codes, return_counts=True)[1].max() / codes.size)


def _fingerprint(grey: Image) -> int:
    """Whether each of 8×8 cells is darker than its neighbour on the right (dHash)."""
    import cv2

    cells = cv2.resize(grey, (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _shrunk(picture: Image, side_px: int, exact: bool = False) -> Image:
    """At most ``side_px`` a side; ``exact`` picks pixels instead of averaging them."""
    import cv2

    scale = side_px / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_NEAREST if exact else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _grey(picture: Image) -> Image:
    import cv2

    if picture.ndim == 2:
        return np.array(picture)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
