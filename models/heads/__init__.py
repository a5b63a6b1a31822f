"""What is learned beside the encoder: text decoder, reader, prompt learner."""

__all__ = [
    "constants",
    "decoder",
    "definition",
    "prompt_learner",
    "reader",
    "states",
    "taps",
    "text_features",
]
