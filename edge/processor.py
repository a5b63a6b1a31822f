"""What the processor at hand can compute, as the kernel tells it."""

from __future__ import annotations

import platform
from pathlib import Path


def cpu_flags() -> set[str]:
    """The instruction sets that Linux reports; empty elsewhere."""
    return set(_told("flags", "Features").split())


def cpu_model() -> str:
    """The processor's name; on ARM, where Linux reports none, the number of its part."""
    return _told("model name", "CPU part") or platform.processor() or platform.machine()


def _told(*names: str) -> str:
    """The first of these lines of Linux's report; empty where it has none of them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""
