"""What is said of good and of bad parts; no torch here, since a bundle's text features need none.

The states and templates are AnomalyGPT's (section 3.3 and appendix), with a generic noun: what is learned
must hold for any product.
"""

from __future__ import annotations

NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
ABNORMAL_STATES = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")
TEMPLATES = ("a photo of a {}.", "a photo of the {}.")
NOUN = "object"


def sentences(states: tuple[str, ...]) -> list[str]:
    """Every state in every template."""
    return [template.format(state.format(NOUN)) for state in states for template in TEMPLATES]
