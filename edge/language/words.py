"""The fixed words around a part's rows, in the chat markup of SmolLM2 (ChatML)."""

from __future__ import annotations

from edge.language.model import Prompt

DEFAULT_DESCRIPTION = "a product"
LONGEST_DESCRIPTION = 200
"""Characters: a description is read with every product change, and the model's room is finite."""

LONGEST_DESCRIPTION_TOKENS = 400
"""Of the 768 of a part; with the fixed words, a part's rows and the longest answer the rest is taken."""

LONGEST_QUESTION = 1000
"""Characters of a follow-up question."""

QUESTION = "Is there any anomaly in the image?"
"""The one question that decides; training and station ask it in these words."""

_SYSTEM = (
    "<|im_start|>system\nYou inspect parts on a production line and answer in one sentence."
    "<|im_end|>\n<|im_start|>"
)
"""Ends with a control token: text behind one is split into tokens as if nothing stood before it."""


def prompt_for(description: str = "") -> Prompt:
    """The prompt for a product.

    Args:
        description: what a good part looks like, such as ``an amber glass bottle seen from above,
            round``; empty where nobody said.
    """
    plain = " ".join(description.split())[:LONGEST_DESCRIPTION].strip(" .")
    return Prompt(
        before=f"{_SYSTEM}user\nThis is a photo of {plain or DEFAULT_DESCRIPTION}. {QUESTION} ",
        markup_chars=len(_SYSTEM),
        after="<|im_end|>\n<|im_start|>assistant\n",
        turn_before="<|im_end|>\n<|im_start|>user\n",
        turn_after="<|im_end|>\n<|im_start|>assistant\n",
    )
