"""Masks become shares of patches, and the decoder's layers learn from them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from models.heads.decoder import TextDecoder  # noqa: E402
from models.training.decoder_training import Patches, patch_shares, train_decoder  # noqa: E402
from tests.models.judged import silent  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def masked(height: int, width: int, *on: slice) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    if on:
        mask[on] = 255
    return mask


SHARES = [
    # mask, grid (rows, columns), share of each patch
    (masked(28, 28), (2, 2), [0, 0, 0, 0]),
    (masked(28, 28, slice(None), slice(None)), (2, 2), [1, 1, 1, 1]),
    (masked(28, 28, slice(0, 14), slice(0, 7)), (2, 2), [0.5, 0, 0, 0]),
    (masked(28, 56, slice(14, 28), slice(42, 56)), (2, 4), [0, 0, 0, 0, 0, 0, 0, 1]),  # rows come first
    (masked(10, 10, slice(0, 1), slice(0, 1)), (2, 2), [1 / 25, 0, 0, 0]),  # one pixel
    (masked(9, 9, slice(0, 9), slice(3, 6)), (1, 2), [1 / 3, 1 / 3]),  # patches that cut a pixel in two
]


@pytest.mark.parametrize(("mask", "grid", "shares"), SHARES)
def test_a_patch_has_the_share_that_the_mask_covers(
    mask: np.ndarray, grid: tuple[int, int], shares: list[float]
) -> None:
    found = patch_shares(mask, grid)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, shares, atol=1e-5)


def encoded(count: int, seed: int = 0) -> Patches:
    """Patches that tell by one direction whether they are anomalous."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((count, 16)) < 0.2).astype(np.float32)
    taps = rng.normal(0, 1, (count, 2, 16, 8))
    taps[..., 0] += np.where(masks, 3, -3)[:, None]
    return Patches(taps.astype(np.float16), masks)


def new_decoder() -> TextDecoder:
    torch.manual_seed(0)
    text = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1, 0.0], [1.0, -0.1, 0.0]]), dim=1)
    return TextDecoder(2, 8, text)


@pytest.mark.parametrize("count", [30, 5])  # fewer parts than a batch are a batch
def test_the_loss_falls_and_what_is_anomalous_is_told(count: int) -> None:
    decoder, patches = new_decoder(), encoded(count)
    losses = train_decoder(decoder, patches, 60, seed=1, progress=silent)
    assert len(losses) == 60
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    with torch.no_grad():
        shares = decoder(torch.from_numpy(patches.taps.astype(np.float32))).numpy()
    assert shares[patches.masks > 0].mean() > shares[patches.masks == 0].mean() + 0.3


def test_the_same_seed_learns_the_same() -> None:
    first, again = new_decoder(), new_decoder()
    assert train_decoder(first, encoded(14), 5, 1, silent) == train_decoder(again, encoded(14), 5, 1, silent)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
