"""``python -m build_engines.language.llama_wheel``: builds llama-cpp-python once, keeps and installs it.

Its authors publish only the source on the package registry. Building takes minutes; the wheel
that comes out is kept, so the next set-up takes seconds. It holds the kernels for the processor that
builds it; with ``--all`` those for every processor, and then a copy of the cache's ``wheels`` folder
serves any machine without compiler or network.
"""

from __future__ import annotations

import argparse
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
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from build_engines.language.llama_pins import (
    PIP,
    RUN,
    environment_with_tools,
    error_in,
    install_exactly,
    install_pinned,
)
from build_engines.language.llama_variants import all_variants, variants_for
from build_engines.language.wheel_seal import checked_url, seal_of, seal_wheel
from edge.errors import EdgeError, SourceError
from edge.language.library import VERSION
from edge.paths import cache_dir
from edge.processor import cpu_flags
from edge.tools import command_line

PACKAGE = "llama-cpp-python"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"

_OPTIONS = {
    # Not for the processor that happens to build, but for generations, each in a library of its own; the best
    # one that proves right is loaded at run time. One build for all would have to choose between crashing
    # on small industrial processors (no AVX) and leaving half of a server's speed unused.
    "GGML_NATIVE": "OFF",
    "GGML_BACKEND_DL": "ON",
    # Vision, downloads over HTTPS, thousands of warnings about others' code: not used.
    "LLAVA_BUILD": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_ALL_WARNINGS": "OFF",
    # Everything beside the Python package's own library folder would land in site-packages itself.
    "CMAKE_INSTALL_BINDIR": "llama_cpp/lib",
    "CMAKE_INSTALL_LIBDIR": "llama_cpp/lib",
    "CMAKE_INSTALL_INCLUDEDIR": "llama_cpp/include",
    # A wheel cannot hold links: each versioned name would be a copy of the library.
    "CMAKE_PLATFORM_NO_VERSIONED_SONAME": "ON",
}
_HOOK = Path(__file__).with_name("llama.cmake")
_MARK = "llama_cpp/lib/recipe.txt"

_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\] ")  # Ninja's count.


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a wheel is built from, and for which processors.

    Attributes:
        name: of the best variant, or ``all``.
        variants: of the kernels, the plainest first; none where there is one build for all.
    """

    name: str
    variants: tuple[str, ...]

    @property
    def options(self) -> dict[str, str]:
        """llama.cpp's build options."""
        if not self.variants:
            return {**_OPTIONS, "GGML_CPU_ALL_VARIANTS": "OFF"}
        chosen = ";".join(self.variants)
        return {**_OPTIONS, "GGML_CPU_ALL_VARIANTS": "ON", "ANOMALYGPT_EDGE_KERNELS": chosen}

    @property
    def digest(self) -> str:
        """Of everything that the libraries depend on, beside the compiler."""
        text = repr((SDIST_SHA256, sorted(self.options.items()), _HOOK.read_text(encoding="utf-8")))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def folder(self) -> Path:
        """Where its wheel lies, made or not: one folder per version, platform and recipe."""
        libc = "".join(platform.libc_ver()).replace(".", "_")
        name = f"{PACKAGE}-{VERSION}-{sysconfig.get_platform()}-{libc}-{self.name}-{self.digest}"
        return cache_dir() / "wheels" / name

    @property
    def wheel(self) -> Path | None:
        """Its wheel in the cache, or None where it is not built yet."""
        return next(self.folder.glob("*.whl"), None)


def recipe_for_all(machine: str | None = None) -> Recipe:
    """For every processor of a kind; None is this machine's."""
    return Recipe("all", all_variants(machine or platform.machine()))


def recipe_for(machine: str, flags: Collection[str]) -> Recipe:
    """For one processor: see :func:`variants_for`."""
    variants = variants_for(machine, flags)
    return Recipe(variants[-1], variants) if variants else recipe_for_all(machine)


def own_recipe() -> Recipe:
    """For the processor at hand."""
    return recipe_for(platform.machine(), cpu_flags())


def built_wheel(for_all: bool = False) -> Path | None:
    """The wheel in the cache that serves this machine, or None where it is not built yet.

    Args:
        for_all: whether it must hold the kernels for every processor.
    """
    wheel = recipe_for_all().wheel
    return wheel if for_all or wheel is not None else own_recipe().wheel


def build_wheel(progress: Callable[[int, int], None] | None = None, for_all: bool = False) -> Path:
    """The wheel, built from the pinned source where the cache does not have it: minutes the first time.

    Args:
        progress: called with the steps done and the steps in all.
        for_all: whether to build the kernels for every processor, not only for this one.

    Raises:
        SourceError: no compiler, the source is not the pinned one, or it does not compile.
    """
    wheel = built_wheel(for_all)
    if wheel is not None:
        return wheel
    _require_compiler()
    recipe = recipe_for_all() if for_all else own_recipe()
    recipe.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=recipe.folder.parent) as scratch:
        made = _run_pip(recipe, Path(scratch), progress)
        seal_wheel(made)
        recipe.folder.mkdir(exist_ok=True)
        target = recipe.folder / made.name
        seal_of(made).replace(seal_of(target))  # First: a wheel that is there has its seal.
        made.replace(target)
    return target


def is_installed(for_all: bool = False) -> bool:
    """Whether this environment has the libraries that :func:`build_wheel` would make."""
    try:
        package = metadata.distribution(PACKAGE)
        made_by = Path(str(package.locate_file(_MARK))).read_text(encoding="utf-8").strip()
    except (metadata.PackageNotFoundError, OSError):
        return False
    serving = {recipe_for_all().digest} if for_all else {recipe_for_all().digest, own_recipe().digest}
    return package.version == VERSION and made_by in serving


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
        for_all = command_line("build_engines.language.llama_wheel", "--all")
        raise SourceError(
            f"There is no C++ compiler {wanted[0]!r} to build {PACKAGE} with.",
            f"On Debian and Ubuntu: sudo apt install g++. Or run `{for_all}` "
            f"on a machine that has one, and copy its cache's wheels folder to {cache_dir() / 'wheels'}.",
        )


def _run_pip(recipe: Recipe, scratch: Path, progress: Callable[[int, int], None] | None) -> Path:
    mark = scratch / Path(_MARK).name
    mark.write_text(f"{recipe.digest}\n", encoding="utf-8")
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SDIST_SHA256}\n")
    options = {
        **recipe.options,
        "CMAKE_PROJECT_llama.cpp_INCLUDE": str(_HOOK),
        "ANOMALYGPT_EDGE_RECIPE": str(mark),
    }
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


def main() -> None:
    """Builds where needed and installs where needed; one line of error and status 1 where it fails."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parser = argparse.ArgumentParser(
        command_line("build_engines.language.llama_wheel"),
        description="Builds llama-cpp-python once and installs it.",
    )
    parser.add_argument(
        "--all", action="store_true", help="for every processor, as a stick or a container needs it"
    )
    for_all: bool = parser.parse_args().all
    console = Console(stderr=True)
    try:
        if is_installed(for_all):
            return
        if built_wheel(for_all) is None:
            kinds = "every processor" if for_all else f"this processor ({own_recipe().name})"
            console.print(f"Building {PACKAGE} {VERSION} once, for {kinds}; this takes minutes.")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            task = bars.add_task("llama.cpp", total=None)
            wheel = build_wheel(lambda done, total: bars.update(task, completed=done, total=total), for_all)
        install(wheel)
    except EdgeError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
