"""The matching decoder's text half: how abnormal a patch scores in the space of words.

Per tap one linear layer into the text space; the cosine to the abnormal sentences against that to
the normal ones, as a softmax at a temperature of 1/100; the mean over the taps (AnomalyGPT, section
3.3). Trained with focal and dice loss on simulated defects.
"""

from __future__ import annotations

import torch
from torch import nn

from models.heads.definition import Definition, states_apart
from models.heads.eager import EagerOperators

_FOCUS = 2.0
_DEFINITION = Definition(EagerOperators())


class TextDecoder(nn.Module):
    """One linear layer per tap.

    Args:
        taps: how many.
        width: of the encoder's tokens.
        text: (2, text width), the normal and the abnormal direction, of length 1.
    """

    text: torch.Tensor

    def __init__(self, taps: int, width: int, text: torch.Tensor) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, text.shape[1]) for _ in range(taps))
        self.register_buffer("text", text)

    def forward(self, taps: torch.Tensor) -> torch.Tensor:
        """The share of abnormal in each patch.

        Args:
            taps: (B, taps, patches, width), as the encoder gives them.

        Returns:
            (B, patches), from 0 to 1.
        """
        shares = [
            _DEFINITION.share_of_abnormal(layer(_DEFINITION.unit(taps[:, number])), self._apart)
            for number, layer in enumerate(self.layers)
        ]
        return torch.stack(shares).mean(0).squeeze(-1)

    @property
    def _apart(self) -> torch.Tensor:
        return torch.from_numpy(states_apart(self.text.numpy()))


def focal_loss(shares: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Focal loss (Lin et al., 2017), gamma 2: the many easy patches do not drown the few hard ones.

    Args:
        shares: (B, patches), predicted.
        masks: (B, patches), the share of each patch that a defect covers.
    """
    shares = shares.clamp(1e-5, 1 - 1e-5)
    right = torch.where(masks > 0, shares, 1 - shares)
    weight = torch.where(masks > 0, masks, torch.ones_like(masks))
    return -(weight * (1 - right) ** _FOCUS * right.log()).mean()


def dice_loss(shares: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Dice loss (Milletari et al., 2016) over each map, smoothed so that empty masks count too."""
    both = (shares * masks).sum(1)
    return (1 - (2 * both + 1) / (shares.square().sum(1) + masks.square().sum(1) + 1)).mean()
