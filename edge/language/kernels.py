"""Which variant of llama.cpp's CPU kernels computes: the best one that proves right on this machine.

A processor that claims to run a variant may still crash in it, and a compiler's fault can make it
compute something else. So before it is used, a variant reads a real prompt with the real model in a
process of its own, and its logits are compared with those of the plainest one. What was found out is
kept (:mod:`edge.language.kernel_memory`), so only the first start pays for it.
"""

from __future__ import annotations

import dataclasses
import logging
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import LanguageError
from edge.language.ending import FATAL
from edge.language.kernel_memory import KernelRecord, WorkerCrashes, read_record, record_path, write_record
from edge.language.kernel_proof import KernelFaultError, computed, divergence, scores
from edge.language.library import REMEDY, kernel_libraries
from edge.language.model import LanguageModel, ModelLimits
from edge.processor import cpu_model

log = logging.getLogger(__name__)

TOLERANCE_NATS = 0.1
"""How far a variant's words may be from the plainest one's; see :func:`divergence`.

Other orders of sums and other roundings make .030 at most between any two of x86-64's variants up to
AVX-512's, with the default bundle's model and learned rows, in 14 prompts; a prompt about another
product makes .04 to .85.
"""

_PLAIN_PATIENCE_S = 120.0
_PATIENCE_S = 30.0  # And what the plainest one took, several times: a machine may be busy.
_TIMES_PLAIN = 5
_TRIAL_S = 5.0  # A guess: three where the machine has nothing else to do.


@dataclass(frozen=True, slots=True)
class Kernel:
    """The variant that computes.

    Attributes:
        name: such as ``haswell``.
        library: its file.
        left_out: better variants that are not used, each with the reason.
        record: what is known about all variants; None where there is one build for all.
        record_path: the file that keeps it.
    """

    name: str
    library: Path
    left_out: Mapping[str, str] = field(default_factory=dict)
    record: KernelRecord | None = None
    record_path: Path | None = None


class Kernels:
    """The choice for one model on this machine. One thread at a time.

    A variant with which a worker died in service is left out as long as this object lives, which is as
    long as the station runs; the next one proves it again first. So a signal that a person sent by
    mistake costs no more than that. The plainest variant is never left out: there is nothing below it.
    """

    def __init__(self, model: LanguageModel, limits: ModelLimits) -> None:
        self._model = model
        self._limits = dataclasses.replace(limits, threads=limits.own_threads)
        self._records: dict[Path, KernelRecord] = {}  # A cache that cannot be written costs no second trial.
        self._dead: dict[str, str] = {}
        self._chosen: Kernel | None = None

    def choose(self, stop: threading.Event | None = None) -> Kernel:
        """The best variant that is proved; one that is not yet is tried now, which takes seconds.

        Args:
            stop: ends the trying, with a LanguageError.

        Raises:
            LanguageError: llama.cpp is missing, no variant computes, or the model cannot be read.
        """
        libraries = kernel_libraries()
        if len(libraries) == 1:
            ((name, library),) = libraries.items()
            return Kernel(name, library)
        trial = _KernelTrial(self._model, self._limits, libraries, stop or threading.Event())
        path = record_path(self._model.sha256, self._limits.own_threads, libraries)
        before = self._records.get(path) or read_record(path)
        record = before or trial.first_record()
        chosen, record = self._best(trial, record)
        record = self._with_next(trial, chosen, record)
        if record != before:
            write_record(path, record)
        self._records[path] = record
        better = record.ranking[: record.ranking.index(chosen)]
        left_out = {
            name: why for name in better if (why := self._dead.get(name) or record.left_out.get(name))
        }
        self._chosen = Kernel(chosen, libraries[chosen], left_out, record, path)
        return self._chosen

    def died(self, kernel: Kernel, status: int) -> str:
        """Notes that a worker ended in service, and moves on to another variant where it is to blame.

        Args:
            kernel: that the worker computed with.
            status: of its process, as :class:`subprocess.Popen` has it.

        Returns:
            What happened, for people: a part of a sentence.
        """
        if -status not in FATAL:
            return f"ended with status {status}"
        what = f"died of {signal.Signals(-status).name} in the kernels {kernel.name}"
        record = kernel.record
        if record is None or kernel.record_path is None or kernel.name == record.ranking[-1]:
            return f"{what} (the plainest ones: build llama.cpp again)"
        self._dead[kernel.name] = f"a worker {what.partition(' in ')[0]}"
        record = self._records.get(kernel.record_path, record)
        deaths = record.deaths.get(kernel.name)
        today = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        noted = WorkerCrashes(
            count=1 + (deaths.count if deaths else 0), last=f"{signal.Signals(-status).name}, {today}"
        )
        record = record.model_copy(
            update={
                "deaths": {**record.deaths, kernel.name: noted},
                "proved": {name: nats for name, nats in record.proved.items() if name != kernel.name},
            }
        )
        self._records[kernel.record_path] = record
        write_record(kernel.record_path, record)
        log.warning("The language worker %s: they are left out until the next start", what)
        return f"{what} (left out until the next start; `anomalygpt-edge doctor` says more)"

    @property
    def trial_s(self) -> float:
        """How long the next :meth:`choose` takes about: seconds where it tries a variant first."""
        if self._chosen is None or self._chosen.record is None or self._chosen.name not in self._dead:
            return 0.0
        record = self._chosen.record
        left = (name for name in record.ranking if name not in self._dead and name not in record.left_out)
        following = next(left, record.ranking[-1])
        return 0.0 if following == record.ranking[-1] or following in record.proved else _TRIAL_S

    def _best(self, trial: _KernelTrial, record: KernelRecord) -> tuple[str, KernelRecord]:
        for name in record.ranking:
            if name in self._dead or name in record.left_out:
                continue
            if name != record.ranking[-1] and name not in record.proved:
                record = trial.proved(name, record)
            if name == record.ranking[-1] or name in record.proved:
                return name, record
        return record.ranking[-1], record

    def _with_next(self, trial: _KernelTrial, chosen: str, record: KernelRecord) -> KernelRecord:
        """Where variants are being tried already, the one to fall back on is tried too."""
        following = record.ranking[record.ranking.index(chosen) + 1 : -1]
        known = {*self._dead, *record.left_out, *record.proved}
        if not trial.has_begun or not following or following[0] in known:
            return record
        return trial.proved(following[0], record)


class _KernelTrial:
    """Tries variants; the plainest one computes once, for as many as are compared with it."""

    def __init__(
        self, model: LanguageModel, limits: ModelLimits, libraries: Mapping[str, Path], stop: threading.Event
    ) -> None:
        self._model = model
        self._limits = limits
        self._libraries = libraries
        self._stop = stop
        self._plain: npt.NDArray[np.float32] | None = None
        self._plain_took_s = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether the plainest variant has computed, so that one more costs little."""
        return self._plain is not None

    def first_record(self) -> KernelRecord:
        """A record of which nothing is proved yet.

        Raises:
            LanguageError: no variant runs on this processor.
        """
        found, faults = self._scores()
        able = sorted((name for name, score in found.items() if score > 0), key=lambda name: -found[name])
        if not able:
            where = next(iter(self._libraries.values())).parent
            raise LanguageError(f"llama.cpp has no kernels for this processor in {where}.", REMEDY)
        return KernelRecord(processor=cpu_model(), ranking=(*faults, *able), left_out=faults)

    def proved(self, name: str, record: KernelRecord) -> KernelRecord:
        """The record with what is found out about one more variant."""
        record = self._with_plain(record)
        plain = record.ranking[-1]
        if name == plain:
            return record
        assert self._plain is not None
        try:
            nats = divergence(
                self._plain, self._computed(name, _PATIENCE_S + _TIMES_PLAIN * self._plain_took_s)
            )
        except KernelFaultError as fault:
            return _left_out(name, str(fault), record)
        if nats <= TOLERANCE_NATS:
            return record.model_copy(update={"proved": {**record.proved, name: round(nats, 4)}})
        return _left_out(name, f"computed other logits than {plain}, {nats:.2g} nats away", record)

    def _scores(self) -> tuple[dict[str, int], dict[str, str]]:
        """The variants' scores, and those that are fatal to load with the reason."""
        names = {path: name for name, path in self._libraries.items()}
        try:
            found = scores(list(names), _PLAIN_PATIENCE_S, self._stop)
            return {names[path]: score for path, score in found.items()}, {}
        except KernelFaultError:
            return self._scores_one_by_one()

    def _scores_one_by_one(self) -> tuple[dict[str, int], dict[str, str]]:
        found: dict[str, int] = {}
        faults: dict[str, str] = {}
        for name, path in self._libraries.items():
            try:
                found[name] = scores([path], _PLAIN_PATIENCE_S, self._stop)[path]
            except KernelFaultError as fault:
                log.warning("The language kernels %s are left out: %s while they were loaded", name, fault)
                faults[name] = f"{fault} while it was loaded"
        return found, faults

    def _with_plain(self, record: KernelRecord) -> KernelRecord:
        """Has the plainest variant compute; one that cannot is left out, and the next plainest computes."""
        while self._plain is None:
            started_s, name = time.monotonic(), record.ranking[-1]
            try:
                self._plain = self._computed(name, _PLAIN_PATIENCE_S)
            except KernelFaultError as fault:
                if name in record.left_out or len(record.ranking) == 1:
                    raise LanguageError(_none_computes(record, name, str(fault)), REMEDY) from fault
                ranking = (name, *record.ranking[:-1])
                record = _left_out(name, str(fault), record.model_copy(update={"ranking": ranking}))
            self._plain_took_s = time.monotonic() - started_s
        return record

    def _computed(self, name: str, timeout_s: float) -> npt.NDArray[np.float32]:
        return computed(self._model, self._limits, self._libraries[name], timeout_s, self._stop)


def _left_out(name: str, why: str, record: KernelRecord) -> KernelRecord:
    log.warning("The language kernels %s are left out on this machine: %s", name, why)
    return record.model_copy(update={"left_out": {**record.left_out, name: why}})


def _none_computes(record: KernelRecord, name: str, why: str) -> str:
    faults = {**record.left_out, name: why}
    told = ", ".join(f"{name} {why}" for name, why in faults.items())
    return f"None of llama.cpp's kernels computes on this processor: {told}."
