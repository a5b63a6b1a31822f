"""What the demo has to show at the end: verdicts against labels, and a picture of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.evaluation.metrics import Decisions, auroc
from edge.inspection import Inspection, Verdict
from edge.records import SheetItem, contact_sheet, write_image

if TYPE_CHECKING:
    from edge.station.judging import Judged

SHEET_PARTS = 60


class DemoResults:
    """A listener that keeps every inspection, and the pictures of the first parts for the sheet.

    Attributes:
        inspections: as they came.
        sentences: how many of them were put into words.
        stood_in: of how many the calibrated score decided in place of the language model.
        language_error: why, of the last of them.

    Args:
        defective: part id to the truth; parts that it does not name have none.
    """

    def __init__(self, defective: dict[str, bool]) -> None:
        self.inspections: list[Inspection] = []
        self.sentences = self.stood_in = 0
        self.language_error = ""
        self._defective = defective
        self._items: list[SheetItem] = []

    def add(self, judged: Judged) -> None:
        """Keep one part."""
        inspection = judged.inspection
        self.inspections.append(inspection)
        if judged.language_error:
            self.stood_in += 1
            self.language_error = judged.language_error
        if len(self._items) < SHEET_PARTS:
            self._items.append(
                SheetItem(inspection, judged.image, judged.anomaly_map, self._note(inspection))
            )

    def hear(self, inspection: Inspection) -> None:
        """A part was put into words."""
        del inspection
        self.sentences += 1

    @property
    def worst(self) -> Inspection | None:
        """The judged part with the highest score; None before the first."""
        judged = [inspection for inspection in self.inspections if inspection.verdict is not Verdict.ERROR]
        return max(judged, key=lambda inspection: inspection.score or 0.0, default=None)

    def labelled(self) -> list[tuple[Inspection, bool]]:
        """The inspections with a verdict ok or ng whose truth is known, and that truth: defective or not."""
        return [
            (inspection, self._defective[inspection.part_id])
            for inspection in self.inspections
            if inspection.part_id in self._defective and inspection.verdict is not Verdict.ERROR
        ]

    def write_sheet(self, path: Path, title: str, subtitle: str) -> None:
        """Write the contact sheet as PNG.

        Raises:
            RecordsError: the file cannot be written.
        """
        columns = max(1, min(5, len(self._items) // 3))
        write_image(path, contact_sheet(self._items, columns, side_px=200, title=title, subtitle=subtitle))

    def _note(self, inspection: Inspection) -> str:
        defective = self._defective.get(inspection.part_id)
        if defective is None:
            return ""
        label = "defective" if defective else "good"
        wrong = "" if (inspection.verdict is Verdict.NG) == defective else " - WRONG"
        return f"{inspection.part_id}: labelled {label}{wrong}"


def against_labels(labelled: list[tuple[Inspection, bool]]) -> list[str]:
    """The verdicts against the truth, as lines of text."""
    if not labelled:
        return ["no labels are known: nothing to compare the verdicts with"]
    counts = Decisions.count(
        (inspection.verdict is Verdict.NG, defective) for inspection, defective in labelled
    )
    ranking = auroc([i.score or 0.0 for i, _ in labelled], [defective for _, defective in labelled])
    return [
        f"                     said OK   said NG      ({len(labelled)} parts with a label)",
        f"  labelled good      {counts.true_ok:7}   {counts.false_ng:7}",
        f"  labelled defective {counts.false_ok:7}   {counts.true_ng:7}",
        f"  accuracy {_percent(counts.accuracy)}, balanced accuracy {_percent(counts.balanced_accuracy)}, "
        f"AUROC of the score {_percent(ranking)}",
    ]


def _percent(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{fraction:.1%}"
