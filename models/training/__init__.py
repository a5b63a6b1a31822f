"""The stages of a training run."""

__all__ = ["plan", "stages"]
