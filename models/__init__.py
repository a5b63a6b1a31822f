"""Training of the anomaly model; never needed on a station."""

import edge  # noqa: F401 - its libraries must not report to their makers, whichever module is first
