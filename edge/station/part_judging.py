"""A part's verdict from all of its views: the worst one's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge.cameras import Frame
from edge.inspection import Inspection, ViewResult
from edge.station.judging import Judge, Judged
from edge.station.part_joiner import JoinedPart
from edge.station.product import MAIN_VIEW
from edge.vision.inspector import Inspector

if TYPE_CHECKING:
    from edge.station.deciding import Decider
    from edge.station.seeing import SeenProduct
    from edge.vision.engine import Engine


class PartJudge:
    """Gives parts of one product their verdicts, each by all of the product's views. One thread at a time.

    Args:
        engine: compiled from the product's bundle.
        product: what is inspected first.
        station: the station's name.
        bundle: id of the bundle behind the engine.
        decider: makes the verdicts, with the product's description; None: the calibrated score does.

    Raises:
        ProductError: the product's memory does not fit the engine.
    """

    def __init__(
        self,
        engine: Engine,
        product: SeenProduct,
        *,
        station: str,
        bundle: str,
        decider: Decider | None = None,
    ) -> None:
        self.decider = decider
        self._engine = engine
        self._station = station
        self._bundle = bundle
        self.use(product)

    def use(self, product: SeenProduct) -> None:
        """Inspect another product from the next part on.

        Raises:
            ProductError: its memory does not fit the engine; the product stays as it was.
        """
        self._judges = {
            view: Judge(
                Inspector(self._engine, memory),
                station=self._station,
                product=product.name,
                bundle=self._bundle,
                decider=self.decider,
            )
            for view, memory in product.memories.items()
        }
        if self.decider is not None:
            self.decider.use(product.description)
        self._seen = product

    @property
    def product(self) -> str:
        """The product that is inspected now."""
        return self._seen.name

    @property
    def cameras(self) -> tuple[str, ...]:
        """Whose images make a part together; none: each image is a part."""
        return tuple(self._seen.cameras)

    @property
    def looks(self) -> int:
        """In how many pieces each part is looked at, all views together."""
        return sum(judge.looks for judge in self._judges.values())

    def warm_up(self) -> None:
        """Judge black images of the references' sizes: the first part shall not wait for memory.

        Raises:
            EngineError: the engine cannot judge at all.
        """
        for judge in self._judges.values():
            judge.warm_up()

    def judge(self, part: JoinedPart, seq: int = 0) -> Judged:
        """The verdict on one part; what goes wrong is a verdict ``error``, never an exception.

        Args:
            seq: the inspection's number.
        """
        if not self._seen.cameras or part.frames[0].camera not in self._seen.cameras:
            return self._judges[MAIN_VIEW].judge(part.frames[0], seq, part.arrived_s)
        frames = {frame.camera: frame for frame in part.frames}
        views = {
            view: self._judges[view].judge(frames.get(camera) or _missing(camera, part), seq, part.arrived_s)
            for camera, sees in self._seen.cameras.items()
            for view in sees
        }
        return self._worst_of(views)

    def _worst_of(self, views: Mapping[str, Judged]) -> Judged:
        """The part as its worst view is, with what each of them says."""
        worst = max(views, key=lambda view: _badness(views[view].inspection))
        judged = views[worst]
        for view, other in views.items():
            if view != worst and other.dialogue is not None and self.decider is not None:
                self.decider.release(other.dialogue)
        inspections = {view: dataclasses.replace(each.inspection, view=view) for view, each in views.items()}
        error = judged.inspection.error
        return dataclasses.replace(
            judged,
            inspection=dataclasses.replace(
                inspections[worst],
                error=error and f"View {worst}: {error}",
                review=any(each.review for each in inspections.values()),
                latency_ms=_together(inspections),
                views=tuple(_result(view, each) for view, each in inspections.items()),
            ),
            engine_error=next((each.engine_error for each in views.values() if each.engine_error), ""),
            language_error=next((each.language_error for each in views.values() if each.language_error), ""),
            others=tuple(
                dataclasses.replace(each, inspection=inspections[view])
                for view, each in views.items()
                if view != worst
            ),
        )


def _badness(inspection: Inspection) -> tuple[int, float]:
    return inspection.code, inspection.p_anomaly or 0.0


def _missing(camera: str, part: JoinedPart) -> Frame:
    """What stands for a view that did not come."""
    return Frame(
        None,
        part.part_id,
        camera,
        part.frames[0].captured_at,
        0,
        f"Camera {camera} showed no image of this part in time. Check its trigger and its cable, or raise "
        "part_ids.views_s.",
        acquisition=part.frames[0].acquisition,
    )


def _together(views: Mapping[str, Inspection]) -> dict[str, float]:
    """The times of the part: they add up, but for the waiting, which is the first view's, and the whole."""
    times = [each.latency_ms for each in views.values() if each.latency_ms]
    names = dict.fromkeys(name for each in times for name in each)
    summed = {name: round(sum(each.get(name, 0.0) for each in times), 3) for name in names}
    for name, of_all in (("queue", min), ("total", max)):
        if known := [each[name] for each in times if name in each]:
            summed[name] = of_all(known)
    return summed


def _result(view: str, inspection: Inspection) -> ViewResult:
    return ViewResult(
        view=view,
        camera=inspection.camera,
        verdict=inspection.verdict,
        p_anomaly=inspection.p_anomaly,
        score=inspection.score,
        p_value=inspection.p_value,
        location=inspection.location,
        regions=inspection.regions,
        error=inspection.error,
    )
