"""Scored dialogues, as JSON for programs and as a table for people."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edge.evaluation.interviews import DialogueResult, Interview

if TYPE_CHECKING:
    from rich.console import Group


def dialogue_json(result: DialogueResult) -> dict[str, Any]:
    """The shares, fractions from 0 to 1 or null, and every answer that they are made of."""
    return {
        "bundle": result.bundle,
        "shots": result.shots,
        "seeds": list(result.seeds),
        "parts": len(result.interviews),
        "pairs": len(result.answers),
        "right": result.right,
        "right_where_verdict_is": result.right_where_verdict_is,
        "by_kind": result.right_by_kind(),
        "by_category": result.right_by_category(),
        "agreement": dataclasses.asdict(result.agreement()),
        "interviews": [
            {"category": product.category, "seed": product.seed, **_interview_json(interview)}
            for product in result.products
            for interview in product.interviews
        ],
    }


def _interview_json(interview: Interview) -> dict[str, Any]:
    return dataclasses.asdict(interview) | {"verdict": interview.verdict.value}


def dialogue_table(result: DialogueResult) -> Group:
    """A row per kind of question, and below it the whole and the agreement, in per cent."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    asked = [answer.kind for answer in result.answers]
    table = Table(box=SIMPLE_HEAD)
    table.add_column("question")
    table.add_column("asked", justify="right")
    table.add_column("right", justify="right")
    for kind, right in result.right_by_kind().items():
        table.add_row(kind, str(asked.count(kind)), _per_cent(right))
    table.add_section()
    table.add_row("all", str(len(asked)), _per_cent(result.right))
    sound = [interview for interview in result.interviews if interview.verdict_is_right]
    table.add_row(
        "all, where the verdict is right",
        str(sum(len(interview.answers) for interview in sound)),
        _per_cent(result.right_where_verdict_is),
    )
    agreement = result.agreement()
    said = ", ".join(
        f"{name} {_per_cent(getattr(agreement, name))}" for name in ("verdict", "place", "count")
    )
    references = {0: "no reference", 1: "1 reference"}.get(result.shots, f"{result.shots} references")
    return Group(
        f"{result.bundle}, {references}, {len(result.interviews)} parts",
        table,
        f"Per cent. Agreement of the answers with the inspection: {said}.",
    )


def _per_cent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
