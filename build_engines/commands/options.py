"""Options that several commands of ``python -m build_engines`` have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

import click

from edge.choices import Precision

_Command = TypeVar("_Command", bound=Callable[..., None])


def _size(
    context: click.Context,  # noqa: ARG001 - click's signature
    option: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> tuple[int, int] | None:
    """``448`` or ``448x672`` (height x width)."""
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not a size; write 448 or 448x672 (height x width).")
    return int(parts[0]), int(parts[-1])


def _taps(
    context: click.Context,  # noqa: ARG001 - click's signature
    option: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> tuple[int, ...] | None:
    """``6,7,8,9``."""
    if value is None:
        return None
    parts = value.replace(" ", "").split(",")
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of layers; write 6,7,8,9.")
    return tuple(int(part) for part in parts)


def preset_options(command: _Command) -> _Command:
    command = click.option(
        "--taps",
        metavar="N,N,…",
        callback=_taps,
        help="Layers whose output tokens are the features; 0 is the first.  [default: the preset's]",
    )(command)
    command = click.option(
        "--size",
        metavar="N|HxW",
        callback=_size,
        help="Input size in pixels, a multiple of the encoder's patch size: a larger input shows finer "
        "defects and takes longer.  [default: the preset's]",
    )(command)
    return click.argument("preset")(command)


precision_option = click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(get_args(Precision)),
    help="Build only these (may be repeated); fp32 is always included.  [default: fp32, and the fastest "
    "that this CPU computes]",
)
all_option = click.option(
    "--all-precisions",
    is_flag=True,
    help="Build every precision of the preset, for other machines or to compare them.",
)
no_language_option = click.option(
    "--without-language",
    is_flag=True,
    help="Leave out the language half, if llama.cpp is not available: the calibrated score decides, and "
    "there are no sentences.",
)
calibrate_option = click.option(
    "--calibrate-on",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Calibrate int8 on the good parts in this folder, such as a product's references.  [default: "
    "rendered parts]",
)
images_option = click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Measure on real images: a category in MVTec's layout, or a folder of categories.  [default: "
    "rendered parts]",
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The bundle's folder.  [default: in the cache, where every command finds it by name]",
)
