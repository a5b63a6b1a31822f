"""The bundle and the engine that a command works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.engine import Engine


@contextmanager
def opened_engine(
    bundle_name: str | None,
    precision: str = "auto",
    runtime: str = "auto",
    *,
    accept_failed_parity: bool = False,
) -> Iterator[tuple[Bundle, Engine]]:
    """The checked bundle and its compiled engine, closed at the end; a terminal is told of the wait.

    The language model's file is left to whoever reads it: seeing needs none of it.

    Raises:
        BundleError: the bundle is missing (the remedy is how to build it) or damaged, or the precision has
            not passed its parity gate.
        EngineError: it cannot be compiled here.
    """
    from edge.terminal.waiting import waiting

    with waiting("checking the model bundle"):
        from edge.bundle import Bundle

        bundle = Bundle.resolve(bundle_name, language_later=True)
    with waiting(f"preparing the vision graph of {bundle.name}"):
        from edge.vision.opening import open_engine

        engine = open_engine(
            bundle,
            runtime,  # type: ignore[arg-type]  # click has checked the choices
            precision,  # type: ignore[arg-type]
            accept_failed_parity=accept_failed_parity,
        )
    try:
        yield bundle, engine
    finally:
        engine.close()
