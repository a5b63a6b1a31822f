"""What the processor at hand can compute, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path


def cpu_flags() -> set[str]:
    """The instruction sets that Linux reports; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return set(value.split())
    return set()
