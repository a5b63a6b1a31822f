"""The language half: the requantized GGUF, and llama.cpp compiled for this machine. Its ``llama_wheel`` runs
before any package is installed, so nothing is imported here.
"""

__all__ = ["gguf", "language_half", "llama_wheel"]
