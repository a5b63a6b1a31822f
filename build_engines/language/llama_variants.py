"""Which of llama.cpp's builds of its CPU kernels a processor can run, and which are worth building for it."""

from __future__ import annotations

from collections.abc import Collection

# The plainest first, in the order of ggml's own scores; each with the instruction sets, as Linux names
# them, that ggml/src/CMakeLists.txt builds it with beyond what every processor of its kind has.
_AVX = ("sse4_2", "avx")
_HASWELL = (*_AVX, "f16c", "fma", "avx2", "bmi2")
_SKYLAKE = (*_HASWELL, "avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw")
_ZEN4 = (*_SKYLAKE, "avx512vbmi", "avx512_vnni", "avx512_bf16")
_X86: dict[str, tuple[str, ...]] = {
    "x64": (),
    "sse42": ("sse4_2",),
    "sandybridge": _AVX,
    "ivybridge": (*_AVX, "f16c"),
    "piledriver": (*_AVX, "f16c", "fma"),
    "haswell": _HASWELL,
    "alderlake": (*_HASWELL, "avx_vnni"),
    "skylakex": _SKYLAKE,
    "cannonlake": (*_SKYLAKE, "avx512vbmi"),
    "cascadelake": (*_SKYLAKE, "avx512_vnni"),
    "icelake": (*_SKYLAKE, "avx512vbmi", "avx512_vnni"),
    "cooperlake": (*_SKYLAKE, "avx512_vnni", "avx512_bf16"),
    "zen4": _ZEN4,
    "sapphirerapids": (*_ZEN4, "amx_tile", "amx_int8"),
}
# Those above reach up to processors for which GCC 11, JetPack 6's, has no flags. A Jetson Orin, a Raspberry
# Pi 5 and what came after them have dot products and half floats.
_ARM: dict[str, tuple[str, ...]] = {
    "armv8.0_1": (),
    "armv8.2_1": ("asimddp",),
    "armv8.2_2": ("asimddp", "asimdhp"),
}
_MIDDLE = "haswell"
# The vision half, OpenVINO, needs SSE4.2. The variant without it is four times as slow as the one with it,
# and would be what all others are compared with and fall back on.
_TOO_PLAIN = "x64"


def all_variants(machine: str) -> tuple[str, ...]:
    """Every variant for a kind of processor, the plainest first; none where ggml has one build for all.

    Args:
        machine: such as ``x86_64`` or ``aarch64``.
    """
    return tuple(name for name in _table(machine) if name != _TOO_PLAIN)


def variants_for(machine: str, flags: Collection[str]) -> tuple[str, ...]:
    """What is built for one processor, the plainest first: what it runs best, and what to fall back on.

    That is the plainest that is of use, and AVX2's: where the best variant is at fault it takes a third more
    time for a verdict, and the plainest one seven times as much.

    Args:
        machine: as for :func:`all_variants`.
        flags: the processor's instruction sets, as Linux names them.
    """
    able = [name for name, needs in _table(machine).items() if set(needs) <= set(flags)]
    if len(able) > 1 and able[0] == _TOO_PLAIN:
        del able[0]
    return tuple(name for name in able if name in (able[0], _MIDDLE, able[-1]))


def _table(machine: str) -> dict[str, tuple[str, ...]]:
    return {"x86_64": _X86, "aarch64": _ARM}.get(machine, {})
