"""The constants of what is learned: torch trains with them, and the graph is written with the same.

No torch here: a bundle is built without it.
"""

from __future__ import annotations

SHARPNESS = 100.0
"""Of the text decoder's softmax over *normal* and *abnormal* (AnomalyGPT, section 3.3)."""

MAP_SIDE = 48
"""The map that the reader takes, in cells a side; a multiple of 3 so that the nine places are equal."""

LEAST_PEAK = 0.05
"""A map whose peak is lower than this share of the boundary is not made larger than life."""

STANDS_OUT, STEEP = 0.5, 16.0
"""What stands out of a map is above this share of its peak, with a soft edge of this steepness."""

TINY, LEAST_SPREAD = 1e-8, 1e-4
"""Under a root, and as the least variance of what stands out, in squares of the map's side."""

SLOPE, FLOOR = 3.0, 0.1
"""Evidence is SLOPE · ln((score + FLOOR) / (1 + FLOOR)), the verdict's boundary being 1."""

CLEAREST = 8.0
"""The largest evidence that is told apart, in units of log-odds."""

GATE, CERTAINTY = 6.0, 4.0
"""How steeply the slots turn from good to anomalous, and from one word of sureness to the next."""

NEARNESS, USUAL_SHARE = 4.0, 0.5
"""A place's peak over the map's, above this share, speaks this much for an anomaly there."""
