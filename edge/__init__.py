"""anomalygpt-edge: an inspection station that learns a product from a few good parts.

Everything in this package runs on the station. It never imports torch or transformers, and
heavy libraries (OpenVINO, OpenCV, llama.cpp) are imported where they are used, so that
``import edge.cli`` costs milliseconds.
"""

from edge.telemetry import forbid as _forbid_telemetry

__version__ = "0.1.0"

_forbid_telemetry()  # Here, since no module of this package can be imported before it.
