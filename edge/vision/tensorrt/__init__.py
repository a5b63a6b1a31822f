"""The vision graph on NVIDIA GPUs, by TensorRT. Nothing of it is imported where it is not used."""

__all__ = ["build", "compiled", "cuda", "cuda_opening", "engine", "library", "plans", "ready"]
