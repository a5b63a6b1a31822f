"""What stands beside measured figures: of which bundle, on which machine, by which command, when."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edge
from edge.processor import cpu_flags

if TYPE_CHECKING:
    from edge.bundle import Bundle

# Instruction sets that decide how fast a graph is, as Linux names them.
_TELLING_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)


def about(bundle: Bundle) -> dict[str, Any]:
    """The block ``about`` of every JSON that holds figures, as plain JSON types.

    The command is this process's own, as it was typed, but for the folders of absolute paths: they say
    whose machine it was, not what was measured.
    """
    arguments = [Path(each).name if Path(each).is_absolute() else each for each in sys.argv[1:]]
    return {
        "bundle": bundle.id,
        "command": f"{_program(Path(sys.argv[0]))} {shlex.join(arguments)}".rstrip(),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "version": edge.__version__,
        "machine": machine(),
    }


def _program(file: Path) -> str:
    """What a person typed to run a file: a command's name, or ``python -m`` and a package's."""
    if file.name != "__main__.py":
        return file.name
    names = [file.parent.name]
    for folder in file.parents[1:]:
        if not (folder / "__init__.py").is_file():
            break
        names.insert(0, folder.name)
    return f"python -m {'.'.join(names)}"


def machine() -> dict[str, Any]:
    """What figures were measured on."""
    import openvino as ov

    flags = cpu_flags()
    return {
        "cpu": str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME")),
        "cpus": os.cpu_count(),
        "instructions": [flag for flag in _TELLING_FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "openvino": ov.__version__,
        "llama_cpp": _llama_cpp(),
    }


def _llama_cpp() -> str | None:
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return None  # the calibrated score decides
