"""The text decoder is a softmax over two cosines, and its losses are what their papers say."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from models.heads.decoder import TextDecoder, dice_loss, focal_loss  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

TEXT = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.3, 0.0]]), dim=1)
HALF = 0.25 * math.log(2)  # (1 - 0.5)² · -ln(0.5)


def test_a_share_is_the_softmax_at_a_hundredth_meant_over_the_taps() -> None:
    torch.manual_seed(0)
    decoder = TextDecoder(taps=2, width=8, text=TEXT)
    taps = torch.randn(3, 2, 5, 8)
    expected = []
    for tap, layer in enumerate(decoder.layers):
        patches = torch.nn.functional.normalize(taps[:, tap], dim=-1)
        inside = torch.nn.functional.normalize(layer(patches), dim=-1)
        expected.append((100 * inside @ TEXT.T).softmax(-1)[..., 1])
    torch.testing.assert_close(decoder(taps), torch.stack(expected).mean(0))


def test_how_long_a_token_is_says_nothing() -> None:
    decoder, taps = TextDecoder(1, 8, TEXT), torch.randn(1, 1, 5, 8)
    torch.testing.assert_close(decoder(taps), decoder(7 * taps))


FOCAL = [
    # shares, masks, loss
    ([1.0, 0.0], [1.0, 0.0], 0.0),  # right everywhere
    ([0.5, 0.5], [1.0, 0.0], HALF),  # undecided: both kinds cost alike
    ([0.5, 0.5], [0.5, 0.0], 0.75 * HALF),  # a patch that is half covered counts half
    ([0.9, 0.0], [1.0, 0.0], 0.01 * -math.log(0.9) / 2),  # nearly right costs next to nothing
    ([0.0, 0.0], [1.0, 0.0], -math.log(1e-5) / 2),  # blind and sure: large, but finite
]


@pytest.mark.parametrize(("shares", "masks", "loss"), FOCAL)
def test_focal_loss(shares: list[float], masks: list[float], loss: float) -> None:
    found = focal_loss(torch.tensor([shares]), torch.tensor([masks]))
    assert found.item() == pytest.approx(loss, rel=1e-3, abs=1e-4)


DICE = [
    ([[1.0, 1.0, 0.0, 0.0]], [[1.0, 1.0, 0.0, 0.0]], 0.0),  # the very mask
    ([[0.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]], 0.0),  # nothing where there is nothing
    ([[1.0, 1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]], 1 - 1 / 5),  # all where there is nothing
    ([[0.0, 0.0, 1.0, 1.0]], [[1.0, 1.0, 0.0, 0.0]], 1 - 1 / 5),  # beside it
    ([[1.0, 0.0, 0.0, 0.0]], [[1.0, 1.0, 0.0, 0.0]], 1 - 3 / 4),  # half of it
    ([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], (0 + 1 - 1 / 2) / 2),  # the mean over the maps
]


@pytest.mark.parametrize(("shares", "masks", "loss"), DICE)
def test_dice_loss(shares: list[list[float]], masks: list[list[float]], loss: float) -> None:
    assert dice_loss(torch.tensor(shares), torch.tensor(masks)).item() == pytest.approx(loss, abs=1e-6)


def test_both_losses_have_a_gradient_where_the_decoder_is_surely_wrong_or_right() -> None:
    for loss in (focal_loss, dice_loss):
        for truth in (torch.ones(2, 5), torch.zeros(2, 5)):
            torch.manual_seed(0)
            decoder = TextDecoder(1, 8, TEXT)
            loss(decoder(torch.randn(2, 1, 5, 8)), truth).backward()
            for name, parameter in decoder.named_parameters():
                assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
                assert parameter.grad.abs().max() > 0, name
            assert "text" not in dict(decoder.named_parameters()), "the sentences are not learned"
