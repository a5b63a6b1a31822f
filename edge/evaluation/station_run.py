"""A station's work on one part after the other, timed stage by stage."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.cameras import Frame, read_image
from edge.errors import FrameError, MessagingError
from edge.inspection import Verdict
from edge.messaging import BrokerSettings, EmbeddedBroker, MessagingSettings, Publisher
from edge.records import Records, RecordsSettings
from edge.station.judging import Judge

VISION_STAGES = ("preprocess", "graph", "calibration", "regions")
STAGES = ("decode", *VISION_STAGES, "language", "record", "publish")
"""``language`` only where a language model decides."""

WARM_UP_PARTS = 3
"""Inspected before the first sample: buffers grow and caches fill then."""

_ACKNOWLEDGED_WITHIN_S = 30.0


@dataclass(slots=True)
class StationRun:
    """What the work took.

    Attributes:
        stages_ms: for each stage one sample per part.
        rss_mb: resident memory after each part, in MB of 10^6 bytes.
        peak_rss_mb: the most that the process ever had, enrollment included.
        acknowledged: whether a broker took all results; False where there is no broker.
    """

    stages_ms: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    rss_mb: list[float] = field(default_factory=list)
    peak_rss_mb: float = 0.0
    acknowledged: bool = False

    @property
    def vision_ms(self) -> list[float]:
        """The whole vision path of each part."""
        return self._summed(VISION_STAGES)

    @property
    def total_ms(self) -> list[float]:
        """All stages of each part."""
        return self._summed(tuple(self.stages_ms))

    def _summed(self, stages: Sequence[str]) -> list[float]:
        return [sum(samples) for samples in zip(*(self.stages_ms[stage] for stage in stages), strict=True)]


def run_station(
    judge: Judge, images: Sequence[Path], parts: int, progress: Callable[[str, int, int], None]
) -> StationRun:
    """Decode, judge, record and publish ``parts`` parts, one after the other, over the given images.

    Every part's image and overlay are kept. Records and the outbox lie in the system's folder for
    temporary files. Results go to an embedded broker where ``iotcore`` is installed; where it is
    not, they stay in the outbox.

    Raises:
        FrameError: an image that cannot be inspected.
        MessagingError, RecordsError: what a station would put into its log.
    """
    import psutil

    run = StationRun()
    if judge.decider is None:
        del run.stages_ms["language"]
    process = psutil.Process()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="anomalygpt-edge-bench-")))
        records = stack.enter_context(Records(folder, RecordsSettings(keep_images="all")))
        broker = stack.enter_context(EmbeddedBroker()) if find_spec("iotcore") else None
        # Port 9 is for discarding, and nobody listens there: the outbox works without a broker.
        address = broker.settings() if broker else BrokerSettings(host="127.0.0.1", port=9)
        publisher = stack.enter_context(
            Publisher(
                MessagingSettings(site="bench", line="bench", brokers=(address,)), folder, station="bench"
            )
        )
        shown = itertools.islice(itertools.cycle(images), WARM_UP_PARTS + parts)
        for number, path in enumerate(shown, start=1):
            progress("inspecting, recording, publishing", number, WARM_UP_PARTS + parts)
            sample = _work(number, path, judge, records, publisher)
            if number > WARM_UP_PARTS:
                for stage, ms in sample.items():
                    run.stages_ms[stage].append(ms)
                run.rss_mb.append(process.memory_info().rss / 1e6)
        if broker:
            if not publisher.flush(_ACKNOWLEDGED_WITHIN_S):
                raise MessagingError(f"The embedded broker lags behind: {publisher.status()}.", "Try again.")
            run.acknowledged = True
    # The kernel counts its maximum now and then, and may lag a little behind.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    run.peak_rss_mb = max(peak_mb, *run.rss_mb)
    return run


def _work(number: int, path: Path, judge: Judge, records: Records, publisher: Publisher) -> dict[str, float]:
    """The station's work on one part: stage to milliseconds."""
    start = time.perf_counter()
    image = read_image(path)
    decoded = time.perf_counter()
    frame = Frame(image, path.stem, "bench", datetime.now(timezone.utc), number)
    judged = judge.judge(frame, number)
    inspection = judged.inspection
    if judge.decider is not None and judged.dialogue is not None:
        judge.decider.release(judged.dialogue)
    if inspection.verdict is Verdict.ERROR:
        raise FrameError(f"{path}: {inspection.error}", "Measure with images that can be inspected.")
    found = time.perf_counter()
    records.append(inspection, judged.image, judged.anomaly_map)
    recorded = time.perf_counter()
    publisher.publish_inspections([inspection])
    published = time.perf_counter()
    return {
        "decode": (decoded - start) * 1e3,
        **{stage: inspection.latency_ms[stage] for stage in VISION_STAGES},
        **({"language": inspection.latency_ms["language"]} if judge.decider is not None else {}),
        "record": (recorded - found) * 1e3,
        "publish": (published - recorded) * 1e3,
    }
