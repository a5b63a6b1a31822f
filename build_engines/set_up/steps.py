"""The steps of each target: what waits for what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, get_args

from build_engines.set_up.step import SetUpStep
from build_engines.set_up.work import WITHOUT_LANGUAGE

Target = Literal["demo", "test", "train"]
TARGETS: tuple[Target, ...] = get_args(Target)

_LANGUAGE_REMEDY = (
    "To go on without the language half, where the calibrated score decides and nothing is put into words: "
    "make {goal} LANGUAGE=no."
)


def locked(target: Target) -> Path:
    """The packages of a target, each with its version and its hashes."""
    return Path("requirements") / "locked" / f"{target}.txt"


def steps(target: Target, *, language: bool) -> tuple[SetUpStep, ...]:
    """What has to be done for a target, in an environment that has only what ``locked/setup.txt`` names.

    Args:
        target: what the environment is for.
        language: whether llama.cpp is compiled and the bundle gets its language half.
    """
    # Without bytecode, which takes longer to write than all else; what is imported gets it then.
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile")
    packages = SetUpStep(
        "packages",
        "packages from the registry",
        (
            (*install, "--require-hashes", "--only-binary", ":all:", "--requirement", str(locked(target))),
            (*install, "--no-build-isolation", "--editable", "."),
        ),
        usual_s=15,
    )
    weights = SetUpStep(
        "weights", "model weights", (_work("fetch-weights"),), after=("packages",), usual_s=10
    )
    graphs = SetUpStep(
        "graphs",
        "vision graph: written, quantized and measured",
        (_work("make-graphs"),),
        after=("weights",),
        usual_s=150,
    )
    bundle = SetUpStep(
        "bundle",
        "model bundle",
        (_work("make-bundle", *(() if language else (WITHOUT_LANGUAGE,))),),
        after=("graphs", "llama") if language else ("graphs",),
        usual_s=3,
    )
    # After the weights, which others wait for: they share the line.
    cells = SetUpStep(
        "cells", "images of solar cells", (_work("fetch-cells"),), after=("weights",), usual_s=5
    )
    return (
        packages,
        *(_llama(target) if language else ()),
        weights,
        *((cells,) if target == "demo" else ()),
        graphs,
        bundle,
    )


def _llama(target: Target) -> tuple[SetUpStep, SetUpStep]:
    remedy = _LANGUAGE_REMEDY.format(goal="test-training" if target == "train" else target)
    compiler = SetUpStep(
        "compiler",
        "llama.cpp, compiled for this processor",
        (_work("compile-llama"),),
        usual_s=170,
        remedy=remedy,
    )
    installed = SetUpStep(
        "llama",
        "llama.cpp, installed",
        (_work("install-llama"),),
        after=("compiler", "packages"),
        usual_s=2,
        remedy=remedy,
    )
    return compiler, installed


def _work(*what: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "build_engines.set_up.work", *what)
