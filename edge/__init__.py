"""anomalygpt-edge: an inspection station that learns a product from a few good parts.

Everything in this package runs on the station. It never imports torch or transformers, and
heavy libraries (OpenVINO, OpenCV, llama.cpp) are imported where they are used, so that
``import edge.cli`` costs milliseconds.
"""

from typing import TYPE_CHECKING, Any

from edge.telemetry import forbid as _forbid_telemetry

if TYPE_CHECKING:
    from edge.station.arrays import ArrayInspector, enroll, open_inspector

__all__ = ["ArrayInspector", "enroll", "open_inspector"]

__version__ = "0.1.0"

_forbid_telemetry()  # Here, since no module of this package can be imported before it.


def __getattr__(name: str) -> Any:
    """What programs of other people use (docs/api.md), imported when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edge.station import arrays

    return getattr(arrays, name)
