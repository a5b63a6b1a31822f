"""The bundle and the engine that a command works with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.openvino import OpenVinoEngine

_log = logging.getLogger(__name__)


@contextmanager
def opened_engine(
    bundle_name: str | None, precision: str = "auto", *, accept_failed_parity: bool = False
) -> Iterator[tuple[Bundle, OpenVinoEngine]]:
    """The checked bundle and its compiled engine, closed at the end.

    Raises:
        BundleError: the bundle is missing (the remedy is how to build it) or damaged, or the precision has
            not passed its parity gate.
        EngineError: it cannot be compiled here.
    """
    from edge.bundle import Bundle
    from edge.vision.openvino import OpenVinoEngine

    bundle = Bundle.resolve(bundle_name)
    engine = OpenVinoEngine(
        bundle,
        precision,  # type: ignore[arg-type]  # click has checked the choice
        accept_failed_parity=accept_failed_parity,
    )
    if doubt := bundle.doubt(engine.precision):
        _log.warning("%s", doubt)
    try:
        yield bundle, engine
    finally:
        engine.close()
