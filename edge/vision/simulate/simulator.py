"""Defects on good images, one at a time or spread evenly over kinds, sizes and contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from edge.errors import FrameError
from edge.image_types import Image, check_layout
from edge.vision.simulate.defect import (
    LEAST_CONTRAST,
    LEAST_MASK_PX,
    LEAST_TRUE_SHARE,
    SimulatedDefect,
    changed_mask,
    mean_change,
    visibly_changed,
)
from edge.vision.simulate.lines import crack, fibre, scratch
from edge.vision.simulate.losses import chip, missing, shards
from edge.vision.simulate.patches import blended_patch, pasted_patch
from edge.vision.simulate.scene import ProposedDefect, Scene, as_bgr
from edge.vision.simulate.spots import blob, specks, stain
from edge.vision.simulate.surface import colour_shift, relief, texture

Draw = Callable[[Scene, np.random.Generator, float], ProposedDefect | None]

KINDS: Mapping[str, Draw] = MappingProxyType(
    {
        "blended_patch": blended_patch,
        "pasted_patch": pasted_patch,
        "scratch": scratch,
        "crack": crack,
        "fibre": fibre,
        "blob": blob,
        "stain": stain,
        "specks": specks,
        "missing": missing,
        "chip": chip,
        "shards": shards,
        "colour_shift": colour_shift,
        "texture": texture,
        "relief": relief,
    }
)
"""Every kind of defect by name."""

SIZES = (0.0005, 0.10)
"""Least and greatest size that is drawn where none is asked for, as fractions of the image's area."""

CONTRASTS = (6.0, 110.0)
"""Least and greatest contrast that is drawn where none is asked for, in grey levels."""

LEAST_SIDE_PX = 16
"""Of an image that was shrunk to what the encoder sees: in less no defect has a shape."""

_ATTEMPTS = 6
_GREATEST_SHARE_OF_OBJECT = 0.4
_GREATEST_GAIN = 2.0


def simulate(
    image: Image,
    rng: np.random.Generator,
    kind: str | None = None,
    donors: Sequence[Image] = (),
    size: float | None = None,
    contrast: float | None = None,
) -> SimulatedDefect:
    """Draw one defect on a good image.

    Args:
        image: a good part, uint8 (H, W) or (H, W, 3) BGR; it is not changed. The time grows with its
            area (milliseconds at 448 pixels a side, seconds at 24 megapixels), so shrink a large image
            to about what the encoder sees.
        rng: the only source of chance: the same generator state gives the same defect.
        kind: one of ``KINDS``; any by default.
        donors: other good images to cut patches from, of any size.
        size: the area to aim at, as a fraction of the image's area; by default drawn from ``SIZES``,
            every scale alike. It is cut to what the object can hold.
        contrast: the mean change to aim at, in grey levels; by default drawn from ``CONTRASTS``.

    Raises:
        FrameError: the image is not one that a defect can be drawn on, or a kind that was asked for
            changes nothing on it (a patch of an evenly coloured image, say).
    """
    _check(image)
    for donor in donors:
        _check(donor)
    if kind is not None and kind not in KINDS:
        raise FrameError(f"There is no kind of defect {kind!r}.", f"Use one of: {', '.join(KINDS)}.")
    defect = _draw(Scene.of(image, donors), rng, kind, size, contrast)
    return replace(defect, image=_like(image, defect.image))


def simulate_many(
    images: Sequence[Image], count: int, seed: int, sizes: tuple[float, float] = SIZES
) -> list[SimulatedDefect]:
    """Draw ``count`` defects that cover kinds, sizes, contrasts and images evenly.

    Kinds and images take turns; size and contrast follow a low-discrepancy sequence on a logarithmic
    scale, so that a few dozen defects already span small to large and faint to strong. The others of
    ``images`` are each one's donors. A kind that changes nothing on an image gives way to another.

    Args:
        images: good parts of one product, uint8 (H, W) or (H, W, 3), at least one.
        seed: the same images, count, seed and sizes give the same defects.
        sizes: the least and the greatest, as fractions of the image's area.

    Raises:
        FrameError: no image, or one that no defect can be drawn on.
    """
    if not images:
        raise FrameError("There is no image to simulate defects on.", "Give at least one good image.")
    for image in images:
        _check(image)
    order = np.random.default_rng(seed)
    kinds = [str(name) for name in order.permutation(list(KINDS))]
    size_at, contrast_at = order.random(2)
    colours = [as_bgr(image) for image in images]
    scenes: dict[int, Scene] = {}
    defects = []
    for index in range(count):
        source = (index // len(kinds) + index % len(kinds)) % len(images)
        if source not in scenes:
            scenes[source] = Scene.of(colours[source], colours[:source] + colours[source + 1 :])
        # The R2 sequence: powers of the plastic number's inverse fill the square evenly.
        size = _between(sizes, (size_at + index * 0.7548776662466927) % 1)
        contrast = _between(CONTRASTS, (contrast_at + index * 0.5698402909980532) % 1)
        rng = np.random.default_rng([seed, index])
        kind = kinds[index % len(kinds)]
        try:
            defect = _draw(scenes[source], rng, kind, size, contrast)
        except FrameError:
            defect = _draw(scenes[source], rng, None, size, contrast)
        image = _like(images[source], defect.image)
        defects.append(replace(defect, image=image, source=source))
    return defects


def _draw(
    scene: Scene,
    rng: np.random.Generator,
    kind: str | None,
    size: float | None,
    contrast: float | None,
) -> SimulatedDefect:
    """Draw until something changed; a kind that was left open is drawn anew each time."""
    size = _between(SIZES, rng.random()) if size is None else size
    contrast = _between(CONTRASTS, rng.random()) if contrast is None else contrast
    area_px = size * scene.width * scene.height
    for attempt in range(_ATTEMPTS * (1 if kind else len(KINDS))):
        name = kind or list(KINDS)[rng.integers(len(KINDS))]
        # What vanished once may be too small or too faint for this place: ask for a little more.
        harder = 1.25 ** min(attempt, _ATTEMPTS)
        fitting_px = min(area_px * harder, _GREATEST_SHARE_OF_OBJECT * scene.object_area_px)
        change = KINDS[name](scene, rng, max(fitting_px, float(LEAST_MASK_PX)))
        defect = _finish(scene, name, change, contrast * harder) if change else None
        if defect is not None:
            return defect
    raise FrameError(
        f"A defect of kind {kind or 'any'} changes nothing on this {scene.width}x{scene.height} image.",
        "Use another kind, or an image that is not evenly coloured.",
    )


def _finish(scene: Scene, kind: str, change: ProposedDefect, contrast: float) -> SimulatedDefect | None:
    """Bring a change to its contrast and measure it; None where (nearly) nothing changed."""
    before = scene.image[change.window.slices]
    pixels = before.astype(np.float32)
    after = np.clip(np.rint(change.pixels), 0, 255).astype(np.uint8)
    level = mean_change(before, after, visibly_changed(before, after))
    if level <= 0:
        return None
    gain = min(contrast / level, _GREATEST_GAIN)
    after = np.clip(np.rint(pixels + (change.pixels - pixels) * gain), 0, 255).astype(np.uint8)
    changed = changed_mask(before, after)
    area = int(np.count_nonzero(changed))
    truly_px = np.count_nonzero(changed & visibly_changed(before, after))
    level = mean_change(before, after, changed)
    if area < LEAST_MASK_PX or level < LEAST_CONTRAST or truly_px < LEAST_TRUE_SHARE * area:
        return None
    image = scene.image.copy()
    # Outside the mask the good image stays as it was, to the bit.
    image[change.window.slices] = np.where(changed[:, :, None] > 0, after, before)
    mask = np.zeros(scene.image.shape[:2], np.uint8)
    mask[change.window.slices] = changed
    return SimulatedDefect(
        image=image,
        mask=mask,
        kind=kind,
        size_fraction=area / mask.size,
        contrast=level,
    )


def _like(good: Image, drawn: Image) -> Image:
    """A drawn (H, W, 3) image in the shape of the good one: a grey image has three equal channels."""
    return np.ascontiguousarray(drawn[:, :, 0]) if good.ndim == 2 else drawn


def _between(limits: tuple[float, float], position: float) -> float:
    """The value at a position from 0 to 1 between two limits, on a logarithmic scale."""
    low, high = limits
    return float(low * (high / low) ** position)


def _check(image: Image) -> None:
    check_layout(image)
    if min(image.shape[:2]) < LEAST_SIDE_PX:
        raise FrameError(
            f"{image.shape[1]}x{image.shape[0]} px is too small to simulate a defect.",
            f"Give images of at least {LEAST_SIDE_PX} pixels a side.",
        )
