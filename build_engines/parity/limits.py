"""How much a precision may lose, wherever it is computed: as a file on a CPU, or as a plan on a GPU.

One limit serves both. What a plan loses beyond its file's roundings (fused kernels, other orders of
summation) is loss all the same, and the language half reads either map with the same weights.
"""

from __future__ import annotations

from edge.choices import Precision

PATCH_COSINE_LIMIT: dict[Precision, float] = {
    "fp32": 0.9999,
    "bf16": 0.998,
    "fp16": 0.999,
    "int8": 0.998,
    # Of ranges made symmetric .9982 to .9984 was measured (docs/precisions.md): room for a plan, and for
    # an encoder that rounds worse, where int8 with zero points (.9989) needs none.
    "int8-symmetric": 0.995,
}
"""The least mean cosine of a patch's features to the reference: fp32, and of fp32 the source itself."""

AUROC_LIMIT = 0.005
"""The most that the image AUROC may fall below that of fp32."""
