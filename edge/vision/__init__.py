"""Seeing: one ``Engine`` protocol, a runtime for CPUs and one for GPUs, and what a product has learned."""

__all__ = [
    "bank",
    "engine",
    "enrollment",
    "inspector",
    "memory",
    "opening",
    "openvino",
    "proved",
    "scoring",
    "simulate",
    "tensorrt",
    "view",
    "zero_shot",
]
