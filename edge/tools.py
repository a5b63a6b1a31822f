"""``python -m edge.tools PROGRAM …``: what makes a station's models, wherever this package is installed.

In a checkout ``build_engines`` and ``models`` are folders beside ``edge``. A wheel keeps them inside of
``edge``: at the top of site-packages these names could be anybody's. Whoever runs them puts their folder on
the path first.
"""

from __future__ import annotations

import re
import runpy
import sys
from importlib import metadata
from pathlib import Path

from edge.errors import EdgeError
from edge.paths import APPLICATION, checkout

_OURS = ("edge", "build_engines", "models")
_EXTRAS = {"build_engines": "build", "models": "train"}
_USAGE = """\
usage: python -m edge.tools PROGRAM ...

  build_engines                what a bundle is made of, and how it is built: build_engines --help
  build_engines.language.llama_wheel    compiles llama.cpp for this processor and installs it
  models.train                 trains what a bundle has learned

Example stations, the broker's files and a systemd unit: {configs}"""


def folder() -> Path:
    """Where ``build_engines``, ``models`` and ``configs`` lie: the checkout, or where a wheel puts them."""
    return checkout() or Path(__file__).with_name("_tools")


def reach() -> None:
    """Make ``build_engines`` and ``models`` importable in this process: ours, whoever else has such names."""
    if sys.path[:1] != [str(folder())]:
        sys.path.insert(0, str(folder()))


def command_line(program: str, *arguments: str) -> str:
    """What a person types to run a program from the folder where this process runs."""
    begins = "python -m" if Path(program.partition(".")[0]).is_dir() else "python -m edge.tools"
    return " ".join([begins, program, *arguments])


def require(extras: str, what: str) -> None:
    """See that extras are installed before anything is begun that needs them.

    Args:
        extras: of this package, with commas between them.
        what: needs them, as the beginning of a sentence.

    Raises:
        EdgeError: a package of it is missing.
    """
    needed = [package for extra in extras.split(",") for package in _packages_of(extra)]
    missing = [package for package in needed if not _is_installed(package)]
    if missing:
        raise EdgeError(f"{what} needs {', '.join(missing)}: not installed.", install(extras))


def install(extras: str) -> str:
    """How a person installs extras of this package, as a sentence; pip takes the package that is there."""
    return f"Install it: pip install '{APPLICATION}[{extras}]'"


def _packages_of(extra: str) -> list[str]:
    try:
        lines = metadata.requires(APPLICATION) or []
    except metadata.PackageNotFoundError:  # A checkout that is not installed.
        return []
    wanted = re.compile(rf"""extra == ['"]{extra}['"]""")
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if wanted.search(line)]


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def main() -> None:
    """Run the program that is named; a package that it lacks is one line and exit code 1."""
    if not sys.argv[1:] or sys.argv[1] in ("-h", "--help"):
        print(_USAGE.format(configs=folder() / "configs"))
        return
    program, *arguments = sys.argv[1:]
    package = program.partition(".")[0]
    if package not in _EXTRAS:
        sys.exit(f"error: There is no program {program!r}. Choose one of: {', '.join(_EXTRAS)}.")
    reach()
    sys.argv = [program, *arguments]
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        needed = (error.name or "").partition(".")[0]
        if not needed or needed in _OURS:
            raise
        sys.exit(f"error: {program} needs {needed}, which is not installed. {install(_EXTRAS[package])}")


if __name__ == "__main__":
    main()
