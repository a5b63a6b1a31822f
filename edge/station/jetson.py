"""What is particular to a Jetson: JetPack brings OpenCV and TensorRT, and pip must not bring them again."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.station.check_result import CheckResult, CheckStatus

_RELEASE_FILE = "etc/nv_tegra_release"
_JETPACK_7 = 38
_JETPACKS = {35: "JetPack 5, which is too old", 36: "JetPack 6"}
_ENVIRONMENT = (
    "Make the environment anew with python3 -m venv --system-site-packages; docs/jetson.md says how."
)


@dataclass(frozen=True, slots=True)
class JetPackPart:
    """A module that JetPack brings.

    Attributes:
        module: as it is imported.
        packages: of Debian, that hold it.
        distributions: of pip, that would be imported in its place.
    """

    module: str
    packages: str
    distributions: str


OPENCV = JetPackPart(
    "cv2", "nvidia-opencv, or Ubuntu's python3-opencv", "opencv-python-headless opencv-python"
)
TENSORRT = JetPackPart("tensorrt", "nvidia-tensorrt", "tensorrt tensorrt-cu12 tensorrt-cu13")


def is_jetson(root: Path = Path("/")) -> bool:
    """Whether this is NVIDIA's Linux for Jetson."""
    return (root / _RELEASE_FILE).is_file()


def opencv_remedy() -> str:
    """What to do where OpenCV cannot be imported on a Jetson."""
    return (
        f"It comes with JetPack ({OPENCV.packages}) and needs NumPy below 2: "
        f"{sys.executable} -m pip install 'numpy<2'. {_ENVIRONMENT}"
    )


def look(root: Path = Path("/")) -> Iterator[CheckResult]:
    """The release, and where the parts that JetPack brings are imported from; nothing elsewhere."""
    if not is_jetson(root):
        return
    yield CheckResult(
        "jetson",
        CheckStatus.OK,
        _release((root / _RELEASE_FILE).read_text(encoding="utf-8", errors="replace")),
    )
    for part in (OPENCV, TENSORRT):
        yield _origin(part, root)


def _release(text: str) -> str:
    """``# R36 (release), REVISION: 4.0, …`` in words."""
    found = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", text)
    if found is None:
        return f"an unknown release: {text[:60].strip()}"
    release = int(found[1])
    known = "JetPack 7 or later" if release >= _JETPACK_7 else "a JetPack that is not known here"
    return f"Jetson Linux {found[1]}.{found[2]}, {_JETPACKS.get(release, known)}"


def _origin(part: JetPackPart, root: Path) -> CheckResult:
    spec = importlib.util.find_spec(part.module)
    if spec is None or spec.origin is None:
        return CheckResult(
            part.module,
            CheckStatus.WRONG,
            "is not visible to this Python",
            f"Install {part.packages}. {_ENVIRONMENT}",
        )
    if not Path(spec.origin).is_relative_to(sys.prefix):
        return CheckResult(part.module, CheckStatus.OK, f"JetPack's, {spec.origin}")
    if any(root.glob(f"usr/lib/python3*/dist-packages/{part.module}")):
        return CheckResult(
            part.module,
            CheckStatus.WRONG,
            f"{spec.origin} is pip's and stands in the place of JetPack's",
            f"Remove it: {sys.executable} -m pip uninstall {part.distributions}",
        )
    return CheckResult(part.module, CheckStatus.OK, f"pip's, {spec.origin}; JetPack's is not installed")
