"""NVIDIA's packages that the tests fetch for themselves: a gate, never a part of what ships."""
