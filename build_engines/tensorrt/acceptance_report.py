"""``acceptance.md``: what was found, for a person and for the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from build_engines.parity.limits import AUROC_LIMIT, PATCH_COSINE_LIMIT
from build_engines.tensorrt.acceptance import Acceptance
from build_engines.tensorrt.plan_parity import MAP_LIMIT, PlanParity
from edge.choices import Precision


def acceptance_report(found: Acceptance) -> str:
    """Markdown, the verdict first."""
    now = datetime.now(timezone.utc)
    lines = [
        f"# {found.bundle} in {found.precision}",
        "",
        f"**{found.verdict}**",
        "",
        f"{found.machine}; {now:%Y-%m-%d %H:%M} UTC.",
        "",
        "| step | outcome | what |",
        "|---|---|---|",
        *(f"| {step.name} | {step.outcome} | {step.detail.replace('|', '/')} |" for step in found.steps),
    ]
    if found.parity is not None:
        lines += ["", "| parity with fp32 | measured | limit |", "|---|---|---|"]
        lines += _parity_rows(found.parity, found.precision)
    if found.latency_ms:
        lines += ["", "| latency | p50 ms | p99 ms |", "|---|---|---|"]
        lines += [f"| {k} | {_number(v['p50'])} | {_number(v['p99'])} |" for k, v in found.latency_ms.items()]
    if found.memory_mb:
        lines += ["", "| memory | MB |", "|---|---|"]
        lines += [f"| {kind} | {size:.0f} |" for kind, size in found.memory_mb.items()]
    return "\n".join([*lines, ""])


def _parity_rows(parity: PlanParity, precision: Precision) -> Iterator[str]:
    limit = PATCH_COSINE_LIMIT[precision]
    yield f"| patch cosine, mean of {parity.images} images | {parity.cosine_mean:.5f} | ≥ {limit} |"
    yield f"| patch cosine, worst | {parity.cosine_min:.4f} | |"
    yield f"| map from the same features, difference | {parity.map_difference:.1e} | ≤ {MAP_LIMIT:.0e} |"
    if parity.auroc is not None and parity.auroc_reference is not None:
        yield f"| image AUROC | {parity.auroc:.4f} | ≥ {parity.auroc_reference - AUROC_LIMIT:.4f} |"
    yield f"| the same image gives the same bits | {'yes' if parity.repeatable else 'no'} | yes |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
