"""Compiled plans on disk: which one serves here, and why another does not.

A plan is good for one graph, one version of TensorRT, one GPU architecture and one span of its free length.
These are its key, under which it lies in the cache with a note of its own hash: what is read is what was
built.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.errors import EngineError
from edge.vision.tensorrt.build import LengthSpan
from edge.whole_file import write_whole

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What a plan is good for.

    Attributes:
        half: ``encoder`` or ``head``.
        graph: sha256 of its ONNX file.
        tensorrt: the version that builds and runs it.
        capability: of the GPU's architecture, such as ``8.7`` for Orin.
        span: of its free length.
    """

    half: str
    graph: str
    tensorrt: str
    capability: str
    span: LengthSpan

    @property
    def digest(self) -> str:
        """The key as a short name."""
        plain = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:_DIGITS]

    def __str__(self) -> str:
        return f"TensorRT {self.tensorrt}, compute capability {self.capability}"


class PlanNote(BaseModel):
    """What stands beside a plan.

    Attributes:
        key: what it is good for.
        device: name of the GPU that built it.
        sha256, bytes: of its content.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: PlanKey
    device: str
    sha256: str
    bytes: int


class UnusablePlanError(EngineError):
    """There is no plan for a key, or what lies there is not what was built."""


def plan_path(folder: Path, key: PlanKey) -> Path:
    """Where a plan lies; its note has ``.json`` after the name."""
    return folder / f"{key.half}.{key.digest}.plan"


def read_plan(folder: Path, key: PlanKey) -> bytes:
    """The plan of that key, with the hash that its note says.

    Raises:
        UnusablePlanError: there is none, with what there is instead; or it is damaged.
    """
    path = plan_path(folder, key)
    try:
        note = _read_note(path)
        plan = read_regular(path, note.bytes)
    except OSError:
        raise UnusablePlanError(
            f"There is no plan of the {key.half} for {key}{_others(folder, key)}."
        ) from None
    found = hashlib.sha256(plan).hexdigest()
    if note.key != key or note.bytes != len(plan) or note.sha256 != found:
        raise UnusablePlanError(
            f"{path.name} is damaged: sha256 {found[:12]}…, {len(plan)} bytes; its note says "
            f"{note.sha256[:12]}…, {note.bytes}."
        )
    return plan


def write_plan(folder: Path, key: PlanKey, plan: bytes, device: str) -> PlanNote:
    """Keeps a plan; the note comes last, so that a plan that is whole has one."""
    note = PlanNote(key=key, device=device, sha256=hashlib.sha256(plan).hexdigest(), bytes=len(plan))
    path = plan_path(folder, key)
    write_cached(path, plan)
    write_cached(_note_path(path), (note.model_dump_json(indent=2) + "\n").encode())
    return note


def write_cached(path: Path, content: bytes) -> None:
    """Writes a file of the cache under a temporary name first, so that it is whole or not there.

    Raises:
        EngineError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise EngineError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Free some space there, or set ANOMALYGPT_EDGE_CACHE to a writable folder.",
        ) from error


def _read_note(path: Path) -> PlanNote:
    """Raises UnusablePlanError where the note cannot be understood, OSError where it is not there."""
    note = _note_path(path)
    try:
        return PlanNote.model_validate_json(read_regular(note, SMALL_FILE_BYTES))
    except ValidationError as error:
        raise UnusablePlanError(f"{note.name} cannot be understood: {error.errors()[0]['msg']}.") from error


def _others(folder: Path, key: PlanKey) -> str:
    """What the plans of the same half that are there were built for."""
    found = []
    for path in sorted(folder.glob(f"{key.half}.*.plan")):
        try:
            note = _read_note(path)
        except (OSError, UnusablePlanError):
            continue
        what = str(note.key) if note.key.graph == key.graph else "another graph"
        found.append(f"{what} ({note.device})")
    return f"; there is one for {', '.join(found)}" if found else ""


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
