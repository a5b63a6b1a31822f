"""Memory as this machine's processes really take it: resident bytes, each in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge.bundle import Bundle
from edge.choices import Precision
from edge.language import LanguageModel

_PATIENCE_S = 120.0
_STATION = ("edge.station.pipeline", "edge.cameras", "edge.messaging", "edge.records", "cv2")


def station_rss() -> int:
    """Of a station's process before it opens an engine."""
    return _alone(_imported, _STATION)


def engine_growth(bundle: Bundle, precision: Precision) -> int:
    """What compiling the bundle with OpenVINO and inspecting one image adds to a process."""
    return _alone(_grown, bundle.path, precision)


def language_worker_rss(model: LanguageModel) -> int:
    """Of the language worker after a verdict and its sentence.

    Raises:
        LanguageError: llama.cpp is missing, or the model does not answer.
    """
    from edge.language import LanguageWorker, prompt_for

    rows = model.base_rows
    assert rows is not None, "a bundle's language model has its learned rows"
    with LanguageWorker(model) as worker:
        reading = worker.judge(prompt_for(), rows, _PATIENCE_S)
        worker.answer(reading.dialogue, timeout_s=_PATIENCE_S)
        assert worker.pid is not None
        return int(psutil.Process(worker.pid).memory_info().rss)


def _alone(measure: Callable[..., int], *given: Any) -> int:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(measure, *given).result()


def _imported(modules: tuple[str, ...]) -> int:
    for name in modules:
        importlib.import_module(name)
    return _rss()


def _grown(folder: Path, precision: Precision) -> int:
    from build_engines.graph.head import uncalibrated_memory
    from edge.vision.openvino import OpenVinoEngine

    before = _rss()
    engine = OpenVinoEngine(Bundle.load(folder), precision)
    image = np.zeros((*engine.input_size, 3), np.uint8)
    encoded = engine.encode(image)
    engine.infer(image, uncalibrated_memory(engine.memory_shapes, encoded.features))
    return _rss() - before


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)
