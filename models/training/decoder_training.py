"""Learning the text decoder's linear layers: focal and dice loss on simulated anomalies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from edge.image_types import Mask
from edge.progress import Progress
from models.data.training_parts import ProductSource, TrainingPart, anomalous_part, good_part
from models.heads.decoder import TextDecoder, dice_loss, focal_loss
from models.training.training_engine import TrainingEngine

_GOOD, _ANOMALOUS = 2, 3  # Parts per product.
_BATCH = 12


@dataclass(frozen=True, eq=False, slots=True)
class Patches:
    """Encoded parts.

    Attributes:
        taps: float16 (n, taps, patches, width).
        masks: float32 (n, patches), the share of each patch that is anomalous.
    """

    taps: npt.NDArray[np.float16]
    masks: npt.NDArray[np.float32]


def encoded_parts(
    products: Sequence[ProductSource], engine: TrainingEngine, seed: int, progress: Progress
) -> Patches:
    """Five parts of each product, encoded."""
    taps, masks = [], []
    for number, product in enumerate(products):
        progress("encoding parts for the decoder", number, len(products))
        for part in _parts_of(product, np.random.default_rng([seed, number])):
            taps.append(engine.taps(part.image).astype(np.float16))
            masks.append(patch_shares(part.mask, engine.grid))
    return Patches(np.stack(taps), np.stack(masks))


def patch_shares(mask: Mask, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(patches,): how much of each patch a mask, uint8 (H, W), covers, 0 to 1."""
    small = cv2.resize((mask > 0).astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small.ravel(), np.float32)


def train_decoder(
    decoder: TextDecoder, patches: Patches, steps: int, seed: int, progress: Progress
) -> list[float]:
    """Trains the decoder in place; the loss of each step."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    count = len(patches.masks)
    losses = []
    for step in range(steps):
        progress("training the decoder", step, steps)
        chosen = np.sort(rng.choice(count, min(_BATCH, count), replace=False))
        shares = decoder(torch.from_numpy(patches.taps[chosen].astype(np.float32)))
        masks = torch.from_numpy(patches.masks[chosen])
        # A patch that a defect only grazes looks like its neighbours: it is neither.
        wanted = torch.where(masks >= 0.25, torch.ones_like(masks), torch.zeros_like(masks))
        loss = 10 * focal_loss(shares, wanted) + dice_loss(shares, wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def _parts_of(product: ProductSource, rng: np.random.Generator) -> list[TrainingPart]:
    numbers = rng.permutation(40)[: _GOOD + _ANOMALOUS]
    parts = [good_part(product, int(number)) for number in numbers[:_GOOD]]
    return parts + [anomalous_part(product, int(number), rng) for number in numbers[_GOOD:]]
