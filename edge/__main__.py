"""``python -m edge``: the same as ``anomalygpt-edge``."""

from edge.cli import main

main()
