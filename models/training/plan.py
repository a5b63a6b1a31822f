"""How much of everything is learned."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class TrainingPlan:
    """How much of everything; the defaults made the committed weights.

    Attributes:
        decoder_products, decoder_steps: of the text decoder.
        products, validation_products: that are enrolled for maps; validation shares no image with training.
        imagined_maps, reader_steps: of the reader, which learns from imagined maps beside the judged ones.
        dialogue_steps, rate: of the dialogue.
        turn_steps: of the rows that end a question, all else being learned.
        seed: of everything.
        threads: of torch and of the encoder; None takes the machine's cores.
    """

    decoder_products: int = 240
    decoder_steps: int = 260
    products: int = 40
    validation_products: int = 10
    imagined_maps: int = 20_000
    reader_steps: int = 1500
    dialogue_steps: int = 560
    turn_steps: int = 780
    rate: float = 0.015
    seed: int = 1
    threads: int | None = None


def plan_words(plan: TrainingPlan) -> str:
    """The plan on one line."""
    return ", ".join(f"{name} {value}" for name, value in asdict(plan).items())
