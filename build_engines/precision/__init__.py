"""From the fp32 graph to smaller numbers, and what that costs each part of an encoder."""

__all__ = ["calibration_set", "files", "layer_report", "rounding_engine"]
