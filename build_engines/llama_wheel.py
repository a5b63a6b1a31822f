"""``python -m build_engines.llama_wheel``: llama-cpp-python, built once, kept in the cache, installed.

Its authors publish only the source on the package registry. Building takes minutes; the wheel
that comes out is kept, so the next set-up takes seconds, and a copy of the cache's ``wheels``
folder serves a machine without compiler or network.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection
from importlib import metadata
from pathlib import Path

from build_engines.llama_pins import (
    PIP,
    RUN,
    environment_with_tools,
    error_in,
    install_exactly,
    install_pinned,
)
from build_engines.wheel_seal import checked_url, seal_wheel
from edge.errors import EdgeError, SourceError
from edge.language.library import VERSION
from edge.paths import cache_dir
from edge.processor import cpu_flags

PACKAGE = "llama-cpp-python"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"

_OPTIONS = {
    # Not for the processor that happens to build, but for every generation, each in a library of its own;
    # the best one for the processor is loaded at run time. One build for all would have to choose between
    # crashing on small industrial processors (no AVX) and leaving half of a server's speed unused.
    "GGML_NATIVE": "OFF",
    "GGML_BACKEND_DL": "ON",
    "GGML_CPU_ALL_VARIANTS": "ON",
    # Vision, downloads over HTTPS: not used.
    "LLAVA_BUILD": "OFF",
    "LLAMA_OPENSSL": "OFF",
    # Everything beside the Python package's own library folder would land in site-packages itself.
    "CMAKE_INSTALL_BINDIR": "llama_cpp/lib",
    "CMAKE_INSTALL_LIBDIR": "llama_cpp/lib",
    "CMAKE_INSTALL_INCLUDEDIR": "llama_cpp/include",
    # A wheel cannot hold links: each versioned name would be a copy of the library.
    "CMAKE_PLATFORM_NO_VERSIONED_SONAME": "ON",
}
# On 64-bit ARM, "every generation" reaches up to processors for which GCC 11, JetPack 6's, has no flags, and
# the build fails. So there it is one: with dot products and half floats, which a Jetson Orin, a Raspberry
# Pi 5 and what came after them have, or for a machine without these the plainest.
_ARM_DOT_PRODUCTS = "armv8.2-a+dotprod+fp16"
_ARM_PLAIN = "armv8-a"
# The package's build switches llama.cpp's command line helpers on, a third of the work; this runs
# after that and before they are added.
_HOOK = "set(LLAMA_BUILD_COMMON OFF)\n"

_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\] ")  # Ninja's count.


def wheel_folder() -> Path:
    """Where this machine's wheel lies, made or not: one folder per version, platform and options."""
    recipe = repr((SDIST_SHA256, sorted(_own_options().items()), _HOOK))
    libc = "".join(platform.libc_ver()).replace(".", "_")
    name = f"{PACKAGE}-{VERSION}-{sysconfig.get_platform()}-{libc}-{_digest(recipe)}"
    return cache_dir() / "wheels" / name


def build_options(machine: str, flags: Collection[str]) -> dict[str, str]:
    """llama.cpp's build options for a kind of processor.

    Args:
        machine: such as ``x86_64`` or ``aarch64``.
        flags: instruction sets, as Linux names them; of account on ARM.
    """
    if machine not in ("aarch64", "arm64"):
        return _OPTIONS
    generation = _ARM_DOT_PRODUCTS if {"asimddp", "asimdhp"}.issubset(flags) else _ARM_PLAIN
    return {**_OPTIONS, "GGML_CPU_ALL_VARIANTS": "OFF", "GGML_CPU_ARM_ARCH": generation}


def _own_options() -> dict[str, str]:
    return build_options(platform.machine(), cpu_flags())


def built_wheel() -> Path | None:
    """The wheel in the cache, or None where it is not built yet."""
    return next(wheel_folder().glob("*.whl"), None)


def build_wheel(progress: Callable[[int, int], None] | None = None) -> Path:
    """The wheel, built from the pinned source where the cache does not have it: minutes the first time.

    Args:
        progress: called with the steps done and the steps in all.

    Raises:
        SourceError: no compiler, the source is not the pinned one, or it does not compile.
    """
    wheel = built_wheel()
    if wheel is not None:
        return wheel
    _require_compiler()
    folder = wheel_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as scratch:
        made = _run_pip(Path(scratch), progress)
        folder.mkdir(exist_ok=True)
        target = folder / made.name
        made.replace(target)
        seal_wheel(target)
    return target


def is_installed() -> bool:
    """Whether this environment has the version that this project needs."""
    try:
        return metadata.version(PACKAGE) == VERSION
    except metadata.PackageNotFoundError:
        return False


def install(wheel: Path) -> None:
    """Installs the wheel, and what it needs from the registry, into this environment.

    Raises:
        SourceError: the wheel is not what was built, or pip says why not.
    """
    checked = checked_url(wheel)
    install_pinned(RUN)
    # The version alone does not tell pip one wheel from another.
    install_exactly(wheel.name, "--force-reinstall", f"{PACKAGE} @ {checked}")


def _require_compiler() -> None:
    wanted = os.environ.get("CXX", "").split()[:1] or ["g++"]
    if shutil.which(wanted[0]) is None:
        raise SourceError(
            f"There is no C++ compiler {wanted[0]!r} to build {PACKAGE} with.",
            "On Debian and Ubuntu: sudo apt install g++. Without one, copy the wheels folder of a "
            f"machine like this one to {wheel_folder().parent}.",
        )


def _run_pip(scratch: Path, progress: Callable[[int, int], None] | None) -> Path:
    hook = scratch / "hook.cmake"
    hook.write_text(_HOOK)
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SDIST_SHA256}\n")
    options = {**_own_options(), "CMAKE_PROJECT_llama.cpp_INCLUDE": str(hook)}
    command = [*PIP, "wheel", "--verbose", "--no-deps", "--no-cache-dir", "--require-hashes"]
    command += ["--no-build-isolation", "--no-binary", PACKAGE]
    command += ["--wheel-dir", str(scratch), "--requirement", str(requirements)]
    environment = {
        **environment_with_tools(scratch / "tools"),
        "CMAKE_ARGS": " ".join(f"-D{name}={value}" for name, value in options.items()),
    }
    log = cache_dir() / "wheels" / f"{PACKAGE}-build.log"
    with log.open("w", encoding="utf-8") as record:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                record.write(line)
                step = _STEP.match(line)
                if step is not None and progress is not None:
                    progress(int(step[1]), int(step[2]))
    wheels = list(scratch.glob("*.whl"))
    if process.wait() != 0 or len(wheels) != 1:
        reason = error_in(log.read_text(encoding="utf-8", errors="replace"))
        raise SourceError(f"{PACKAGE} {VERSION} cannot be built: {reason}", f"The whole output is in {log}.")
    log.unlink()
    return wheels[0]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def main() -> None:
    """Builds where needed and installs where needed; one line of error and status 1 where it fails."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    try:
        if is_installed():
            return
        if built_wheel() is None:
            console.print(f"Building {PACKAGE} {VERSION} once, for all processors; this takes minutes.")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            task = bars.add_task("llama.cpp", total=None)
            wheel = build_wheel(lambda done, total: bars.update(task, completed=done, total=total))
        install(wheel)
    except EdgeError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
