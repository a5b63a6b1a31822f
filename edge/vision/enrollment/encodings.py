"""From views to what the encoder says of them: the only step of an enrollment that encodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.progress import Progress
from edge.vision.engine import Encoded, Engine
from edge.vision.enrollment.views import Look


@dataclass(frozen=True, eq=False, slots=True)
class EncodedLook:
    """A view and what the encoder says of it."""

    view: Look
    encoded: Encoded


@dataclass(frozen=True, eq=False, slots=True)
class ViewEncoder:
    """An engine's encoder, and who is told how far it is."""

    engine: Engine
    progress: Progress

    def encode(
        self, views: Iterable[Look], what: str, count: int, known: Iterable[EncodedLook] = ()
    ) -> Iterator[EncodedLook]:
        """Encodes views one after the other, as they are asked for.

        Args:
            views: made as they are asked for, so that no more than one image is held.
            what, count: what is being done and how many views there are, for the person who waits.
            known: references at angles that were encoded before; those are not encoded again.
        """
        before = {_pose(each.view): each.encoded for each in known}
        self.progress(what, 0, count)
        for done, view in enumerate(views, 1):
            encoded = before.get(_pose(view))
            yield EncodedLook(view, self.engine.encode(view.image) if encoded is None else encoded)
            self.progress(what, done, count)


def _pose(view: Look) -> tuple[int, int, float | None]:
    return view.reference, view.piece, view.angle_deg
