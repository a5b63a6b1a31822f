"""Ties the rooms together: the pipeline, products, health, supervision."""

__all__ = [
    "arrays",
    "check_result",
    "conversation",
    "deciding",
    "doctor",
    "judging",
    "opening",
    "pipeline",
    "product",
    "products",
    "run_counters",
    "seeing",
]
