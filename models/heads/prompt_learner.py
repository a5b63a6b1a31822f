"""The prompt learner: what the reader read, as embeddings that the frozen language model reads.

Base embeddings are learned and the same for all parts; prompt embeddings follow the part's slots; one
more comes from the image's own embedding (AnomalyGPT, sections 3.4 and 3.5). Turn embeddings, which the
paper has not, end every further question: the same slots once more, laid out as a sheet of facts that
answers are read from.
"""

from __future__ import annotations

import torch
from torch import nn

from models.heads.reader import SLOTS

BASE_ROWS = 12
PROMPT_ROWS = 9
TURN_ROWS = 28


class PromptLearner(nn.Module):
    """Embedding rows for a language model of ``width``.

    Args:
        width: of the language model's embeddings.
        image_width: of the image's embedding.
        scale: the root mean square of the language model's token embeddings: rows are learned in
            its units, so that one learning rate fits all.
    """

    scale: torch.Tensor

    def __init__(self, width: int, image_width: int, scale: float) -> None:
        super().__init__()
        self.width = width
        self.base = nn.Parameter(torch.randn(BASE_ROWS, width))
        self.prompt = nn.Linear(SLOTS, PROMPT_ROWS * width)
        self.turn = nn.Linear(SLOTS, TURN_ROWS * width)
        self.image = nn.Linear(image_width, width)
        for linear in (self.prompt, self.turn, self.image):
            nn.init.normal_(linear.weight, std=0.5)
            nn.init.normal_(linear.bias, std=0.5)
        nn.init.zeros_(self.image.bias)
        self.register_buffer("scale", torch.tensor(scale))

    def base_rows(self) -> torch.Tensor:
        """(12, width): they follow the prompt's fixed beginning and belong to it."""
        return self.base * self.scale

    def turn_rows(self, slots: torch.Tensor) -> torch.Tensor:
        """(B, 28, width): they stand at the end of every further question.

        Args:
            slots: (B, 33) from :func:`models.heads.reader.slots`.
        """
        return self.turn(slots).view(len(slots), TURN_ROWS, self.width) * self.scale

    def part_rows(self, slots: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """(B, 10, width): the image's row and nine prompt rows.

        Args:
            slots: (B, 33) from :func:`models.heads.reader.slots`.
            image: (B, image_width), rows of length 1.
        """
        prompt = self.prompt(slots).view(len(slots), PROMPT_ROWS, self.width)
        return torch.cat([self.image(image)[:, None], prompt], dim=1) * self.scale
