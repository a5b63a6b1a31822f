"""Engines side by side on this machine: each runtime and precision, what its arithmetic needs and reaches.

What ``anomalygpt-edge bench --engines`` runs. It stands here since it writes graphs of other sizes and
runs them in ONNX Runtime, neither of which a station does.
"""

from build_engines.engine_bench.measure import EngineBenchResult, measure_engines
from build_engines.engine_bench.report import engine_tables, engines_json

__all__ = ["EngineBenchResult", "engine_tables", "engines_json", "measure_engines", "resizing"]
