"""How fast this machine inspects, and where the time goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.choices import DecidedBy, Precision, RequestedPrecision
from edge.evaluation.about import machine
from edge.evaluation.bare_encoder import BareEncoder
from edge.evaluation.language_run import LanguageRun, run_language
from edge.evaluation.precision_run import PrecisionRun, run_precisions
from edge.evaluation.station_run import StationRun, run_station
from edge.evaluation.timing import percentiles
from edge.image_types import Image
from edge.progress import Progress
from edge.station.deciding import opened_decider
from edge.station.judging import Judge
from edge.vision.enrollment import enroll
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine, runnable_precisions

_PATIENCE_S = 60.0  # What is measured is how long a verdict takes, not whether it comes in time.


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was measured, on what.

    Attributes:
        bundle: id of the model bundle.
        precision: of the engine that worked as a station.
        threads: as asked for; None: OpenVINO's choice.
        references: images that the product was learned from.
        image_size: (H, W) of the first image that was inspected, in pixels.
        station: the work of a station, part by part.
        precisions: all precisions that the bundle and this CPU have, side by side.
        language: what the language model's verdict adds; None where it does not decide.
    """

    bundle: str
    precision: str
    threads: int | None
    references: int
    image_size: tuple[int, int]
    station: StationRun
    precisions: dict[Precision, PrecisionRun]
    language: LanguageRun | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; milliseconds, MB of 10^6 bytes, and ratios."""
        station, fp32 = self.station, self.precisions.get("fp32")
        return {
            "bundle": self.bundle,
            "precision": self.precision,
            "machine": machine(),
            "threads": self.threads,
            "references": self.references,
            "image_size": list(self.image_size),
            "parts": len(station.rss_mb),
            "stages_ms": {stage: percentiles(samples) for stage, samples in station.stages_ms.items()},
            "vision_ms": percentiles(station.vision_ms),
            "total_ms": percentiles(station.total_ms),
            "language": None if self.language is None else _language_json(self.language),
            "frames_per_second": {
                "vision": _per_second(station.vision_ms),
                "all_stages": _per_second(station.total_ms),
            },
            "memory_mb": {"inspecting": max(station.rss_mb), "peak": station.peak_rss_mb},
            "broker_acknowledged": station.acknowledged,
            "precisions": {
                precision: {
                    "rounds": len(run.vision_ms),
                    "vision_ms": percentiles(run.vision_ms),
                    "encoder_ms": percentiles(run.encoder_ms),
                    "ratio_to_encoder": run.ratio_to_encoder,
                    "vision_speedup": None if fp32 is None else run.vision_speedup(fp32),
                    "encoder_speedup": None if fp32 is None else run.encoder_speedup(fp32),
                }
                for precision, run in self.precisions.items()
            },
        }


def bench(
    bundle: Bundle,
    references: Sequence[Path],
    images: Sequence[Path],
    parts: int,
    progress: Progress,
    *,
    precision: RequestedPrecision = "auto",
    threads: int | None = None,
    decided_by: DecidedBy = "calibration",
) -> BenchResult:
    """Learn a product from ``references``, then measure ``parts`` inspections of ``images``.

    First one engine works as a station does, alone in memory but for its language model. With that, each
    image is then judged without and with it. Then all precisions that the bundle
    and this CPU have take turns, each with its bare encoder. One memory serves them all: what
    matching costs hangs on its size, not on the precision that it was made in.

    Raises:
        EngineError, FrameError, LanguageError, MessagingError, ProductError, RecordsError: as at a station.
    """
    engine = OpenVinoEngine(
        bundle, precision, threads, accept_failed_parity=True
    )  # Times stand on no verdict.
    memory = enroll(engine, [read_image(path) for path in references], bundle_id=bundle.id, progress=progress)
    inspector = Inspector(engine, memory)
    pictures: list[Image] = [read_image(path) for path in images]
    language = None
    with opened_decider(bundle, decided_by, timeout_s=_PATIENCE_S) as decider:
        judge = Judge(inspector, station="bench", product="bench", bundle=bundle.id, decider=decider)
        station = run_station(judge, images, parts, progress)
        if decider is not None:
            language = run_language(inspector, decider, pictures, parts, progress)
    engine.close()

    engines = {
        name: OpenVinoEngine(bundle, name, threads, accept_failed_parity=True)
        for name in runnable_precisions(bundle)
    }
    contestants = {
        name: (Inspector(one, memory), BareEncoder(bundle, name, threads)) for name, one in engines.items()
    }
    precisions = run_precisions(contestants, pictures, parts, progress)
    for one in engines.values():
        one.close()
    height, width = pictures[0].shape[:2]
    return BenchResult(
        bundle.id, engine.precision, threads, len(references), (height, width), station, precisions, language
    )


def _language_json(run: LanguageRun) -> dict[str, Any]:
    return {
        "rounds": len(run.vision_ms),
        "vision_ms": percentiles(run.vision_ms),
        "verdict_ms": percentiles(run.verdict_ms),
        "verdict_adds_ms": percentiles(run.added_ms),
        "sentence_ms": percentiles(run.sentence_ms),
        "words_per_second": run.words_per_second,
    }


def _per_second(samples_ms: Sequence[float]) -> float:
    return 1e3 * len(samples_ms) / sum(samples_ms)
