"""Judged parts as :mod:`models.training.maps` keeps them, drawn for tests: a bright place on a dark map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.training.maps import Maps

WIDTH = 8


def bright_maps(count: int, seed: int = 0) -> Maps:
    """Every second part is anomalous, with one bright disc in the middle of its place."""
    from models.training.maps import Maps

    rng = np.random.default_rng(seed)
    maps = rng.normal(0.2, 0.05, (count, 48, 48)).astype(np.float32)
    anomalous = np.arange(count) % 2 == 1
    place = np.where(anomalous, rng.integers(0, 9, count), 0)
    size = np.where(anomalous, rng.integers(0, 3, count), 0)
    y, x = np.mgrid[:48, :48]
    for number in np.flatnonzero(anomalous):
        row, column = 16 * (place[number] // 3) + 8, 16 * (place[number] % 3) + 8
        maps[number][(y - row) ** 2 + (x - column) ** 2 <= (2 + 2 * size[number]) ** 2] = 2.5
    images = rng.normal(0, 1, (count, WIDTH))
    return Maps(
        maps=maps,
        scores=np.where(anomalous, 2.5, 0.4).astype(np.float32),
        images=(images / np.linalg.norm(images, axis=1, keepdims=True)).astype(np.float32),
        anomalous=anomalous,
        seen=anomalous.copy(),
        count=np.zeros(count, np.int64),
        place=place.astype(np.int64),
        size=size.astype(np.int64),
        shape=np.zeros(count, np.int64),
        places=anomalous[:, None] & (np.arange(9) == place[:, None]),
        product=np.arange(count) // 20,
        shots=np.ones(count, np.int64),
    )


def silent(what: str, done: int, of: int) -> None:
    """Progress that nobody watches."""
