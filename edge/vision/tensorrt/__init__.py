"""The vision graph on NVIDIA GPUs, by TensorRT. Nothing of it is imported where it is not used."""
