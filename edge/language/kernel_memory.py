"""What was found out about llama.cpp's kernel variants on this machine, kept in the cache."""

from __future__ import annotations

import hashlib
import logging
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.fetch import sha256_of
from edge.language.library import VERSION
from edge.paths import cache_dir
from edge.proofs import machine_id
from edge.whole_file import write_whole

log = logging.getLogger(__name__)


class _KernelRecordPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerCrashes(_KernelRecordPart):
    """Of workers with one variant, in service.

    Attributes:
        count: how many.
        last: the last one, for people: what it died of and when.
    """

    count: int
    last: str


class KernelRecord(_KernelRecordPart):
    """What is known about the variants for one processor, wheel, model and number of threads.

    Attributes:
        processor: its name, for people who read the file.
        ranking: the variants that the processor claims to run, the best first; the last is the plainest.
        proved: those that computed what the plainest one computes, and the divergence in nats.
        left_out: those that did not, and why.
        deaths: those with which a worker died in service. Such a one is proved again before it is used.
    """

    version: Literal[1] = 1
    processor: str
    ranking: tuple[str, ...]
    proved: dict[str, float] = {}
    left_out: dict[str, str] = {}
    deaths: dict[str, WorkerCrashes] = {}


def record_path(gguf_sha256: str, threads: int, libraries: Mapping[str, Path]) -> Path:
    """Where the record lies: another processor, system, wheel, model or number of threads is another file.

    Raises:
        OSError: a library cannot be read.
    """
    files = {name: sha256_of(path) for name, path in libraries.items()}
    key = repr((machine_id(), platform.release(), VERSION, sorted(files.items()), gguf_sha256, threads))
    return cache_dir() / "kernels" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def read_record(path: Path) -> KernelRecord | None:
    """The record; None where there is none, or none that can be understood: then it is made anew."""
    try:
        return KernelRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s cannot be used, so the language kernels are tested again: %s", path, error)
        return None


def write_record(path: Path, record: KernelRecord) -> None:
    """Keeps the record. Where it cannot be written, that is logged: the next start proves again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, record.model_dump_json(indent=2) + "\n")
    except OSError as error:
        log.warning("Cannot write %s, so the next start tests the language kernels again: %s", path, error)
