"""From a frame to an inspection: the one place where a part gets its verdict.

The station and ``anomalygpt-edge inspect`` judge through the same class, so a part gets the same
verdict from both.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ulid import ULID

from edge.cameras import Frame
from edge.errors import EdgeError, EngineError
from edge.image_types import Image
from edge.inspection import Inspection, Verdict, utc_timestamp
from edge.station.deciding import Decider, Decision

if TYPE_CHECKING:
    import numpy.typing as npt

    from edge.vision.inspector import Finding, Inspector

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """A part with its verdict and with what the verdict was made from.

    Attributes:
        inspection: all that is known about the part.
        image: as captured, uint8 (H, W) or (H, W, 3); None where there is none.
        anomaly_map: float32 (h, w), 0 good and 1 simulated defect; None for an error.
        engine_error: what is wrong with the engine, where that is why the verdict is an error.
        language_error: why the language model gave no verdict, where it should have.
        dialogue: under which the decider can put the part into words; None where it cannot.
        sources: the frames'.
        outlines: the corners of every piece that was looked at; none where that is the whole image.
        others: of a product with several views, what the others say; this is the worst.
    """

    inspection: Inspection
    image: Image | None = None
    anomaly_map: npt.NDArray[np.float32] | None = None
    engine_error: str = ""
    language_error: str = ""
    dialogue: int | None = None
    sources: tuple[str, ...] = ()
    outlines: tuple[tuple[tuple[int, int], ...], ...] = ()
    others: tuple[Judged, ...] = ()

    def picture(self) -> Image | None:
        """The image with heat, boxes and the verdict: uint8 (H, W, 3) BGR; None where there is no image."""
        from edge.records import draw_overlay

        if self.image is None:
            return None
        return draw_overlay(self.image, self.anomaly_map, self.inspection, self.outlines)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of a part."""
        from edge.image_bytes import encode_image

        picture = self.picture()
        return None if picture is None else encode_image(picture, ".png")

    def without_verdict(self, error: str) -> Judged:
        """The same part as an error: whatever was found of it stands no more."""
        unjudged = dataclasses.replace(
            self.inspection,
            verdict=Verdict.ERROR,
            error=error,
            review=False,
            p_anomaly=None,
            score=None,
            p_value=None,
            location="",
            regions=(),
        )
        return Judged(unjudged, self.image)


class Judge:
    """Gives parts of one product their verdicts. One thread at a time.

    Args:
        inspector: the vision path with the product's memory.
        station: the station's name; empty outside a station.
        product: the product's name.
        bundle: id of the bundle behind the inspector.
        decider: makes the verdict from what the inspector finds; None: the calibrated score does.
    """

    def __init__(
        self,
        inspector: Inspector,
        *,
        station: str,
        product: str,
        bundle: str,
        decider: Decider | None = None,
    ) -> None:
        self.decider = decider
        self._inspector = inspector
        self._station = station
        self._product = product
        self._bundle = bundle
        self._warn()

    @property
    def product(self) -> str:
        """The product that is inspected now."""
        return self._product

    @property
    def looks(self) -> int:
        """In how many pieces each part is looked at."""
        rows, columns = self._inspector.memory.view.tiles
        return rows * columns

    def blind_spot(self) -> str | None:
        """What the product's images hide from the graph, in words; None where they hide nothing."""
        return self._inspector.blind_spot()

    def _warn(self) -> None:
        hidden = self.blind_spot()
        if hidden is not None:
            log.warning("product %s: %s", self._product, hidden)

    def warm_up(self) -> None:
        """Judge a black image of the references' size: the first part shall not wait for memory.

        Raises:
            EngineError: the engine cannot judge at all.
        """
        finding = self._inspector.warm_up()
        if self.decider is not None:
            self.decider.warm_up(finding)

    def judge(self, frame: Frame, seq: int = 0, arrived_s: float | None = None) -> Judged:
        """The verdict on one frame; what goes wrong is a verdict ``error``, never an exception.

        Args:
            seq: the inspection's number; 0 outside a station.
            arrived_s: when the frame left the camera, on the monotonic clock; default: now. The
                latency ``queue`` counts from there to here, ``total`` from there to the verdict.
        """
        arrived_s = time.monotonic() if arrived_s is None else arrived_s
        if frame.image is None:
            return Judged(self._error(frame, seq, frame.error))
        try:
            return self._judged(frame, frame.image, seq, arrived_s)
        except EngineError as error:
            return Judged(self._error(frame, seq, str(error)), frame.image, engine_error=str(error))
        except EdgeError as error:
            return Judged(self._error(frame, seq, str(error)), frame.image)
        except Exception as error:
            # Whatever it is: a station that dies of one part inspects no other. The part is rejected.
            log.exception("part %s: the inspection failed", frame.part_id)
            text = f"The inspection failed: {type(error).__name__}: {error}. The log has the details."
            return Judged(self._error(frame, seq, text), frame.image, engine_error=text)

    def _judged(self, frame: Frame, image: Image, seq: int, arrived_s: float) -> Judged:
        """A frame's verdict; ``arrived_s`` on the monotonic clock.

        Raises:
            EdgeError: the image, the engine or the language model makes none; anything else is a mistake of
                this program or a lack of memory.
        """
        started_s = time.monotonic()
        finding = self._inspector.inspect(image)
        latency_ms = {"queue": (started_s - arrived_s) * 1e3, **finding.latency_ms}
        decision = self._decide(finding, latency_ms)
        latency_ms["total"] = (time.monotonic() - arrived_s) * 1e3
        is_ng = decision.verdict is Verdict.NG
        inspection = dataclasses.replace(
            self._error(frame, seq, decision.error if decision.verdict is Verdict.ERROR else ""),
            verdict=decision.verdict,
            review=decision.review,
            p_anomaly=decision.p_anomaly,
            score=finding.score,
            p_value=finding.p_value,
            location=finding.location if is_ng else "",
            regions=finding.regions if is_ng else (),
            latency_ms={name: round(ms, 3) for name, ms in latency_ms.items()},
        )
        return Judged(
            inspection,
            image,
            finding.map,
            language_error=decision.error,
            dialogue=decision.dialogue,
            outlines=finding.outlines,
        )

    def _decide(self, finding: Finding, latency_ms: dict[str, float]) -> Decision:
        """The verdict on what was found; adds the time of the language model where it was asked."""
        if self.decider is None:
            return Decision(finding.verdict, finding.p_anomaly)
        start_s = time.monotonic()
        decision = self.decider.decide(finding)
        latency_ms["language"] = (time.monotonic() - start_s) * 1e3
        return decision

    def _error(self, frame: Frame, seq: int, error: str) -> Inspection:
        """What every inspection begins as: a part is an error until it has a finding."""
        return Inspection(
            id=str(ULID()),
            seq=seq,
            station=self._station,
            product=self._product,
            part_id=frame.part_id,
            camera=frame.camera,
            captured_at=utc_timestamp(frame.captured_at),
            verdict=Verdict.ERROR,
            error=error,
            bundle=self._bundle,
            references=self._inspector.memory.references,
            acquisition=frame.acquisition,
        )
