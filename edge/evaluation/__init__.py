"""Measuring a station: how good its verdicts are, and how fast.

:mod:`~edge.evaluation.evaluate` judges verdicts on parts whose truth is known;
:mod:`~edge.evaluation.bench` times every stage. Both run the station's own classes.
"""

__all__ = [
    "about",
    "bench",
    "bench_report",
    "dataset",
    "dialogue",
    "dialogue_report",
    "evaluate",
    "learning",
    "metrics",
    "parts",
    "reading",
    "report",
    "timing",
]
