"""Who says ok or ng: the language model, the calibrated score, or either of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.choices import DecidedBy, LanguageDecides
from edge.errors import LanguageError
from edge.inspection import Verdict
from edge.language import LanguageWorker, ModelLimits, bundled_model, prompt_for
from edge.station.health import Condition, Level

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.language import Prompt, Reading
    from edge.vision.inspector import Finding


TIMEOUT_S = 5.0
"""For a verdict, by default: a worker that was killed is back within it on most machines."""

_WARM_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one part.

    Attributes:
        verdict: ``error`` where the language model should have decided and could not.
        p_anomaly: from whoever decided, 0 to 1; None for an error.
        review: language model and calibrated score disagree, or the score stands in for the model.
        dialogue: under which the language worker can be asked about the part; None where it cannot, or
            where its own verdict is another.
        error: why the language model gave no verdict, also where the score stands in; empty where it did.
    """

    verdict: Verdict
    p_anomaly: float | None
    review: bool = False
    dialogue: int | None = None
    error: str = ""


class Decider:
    """Has a language worker judge what the vision half found. One thread at a time.

    Args:
        worker: started; closed by its owner.
        decided_by: ``language``: the larger of the logits of *Yes* and *No*. ``either``: ng where the
            language model or the calibrated score says so.
        calibration_stands_in: where the language model gives no verdict, the calibrated one is taken and
            the part is up for review; else the part is an error.
        timeout_s: for a verdict.
        description: of the product, in words.
    """

    def __init__(
        self,
        worker: LanguageWorker,
        *,
        decided_by: LanguageDecides = "language",
        calibration_stands_in: bool = False,
        timeout_s: float = TIMEOUT_S,
        description: str = "",
    ) -> None:
        self.worker = worker
        self.decided_by = decided_by
        self._calibration_stands_in = calibration_stands_in
        self._timeout_s = timeout_s
        self._prompt: Prompt = prompt_for(description)
        self._last_error = ""
        self._erred_in = 0  # the worker's processes, counted

    @property
    def condition(self) -> Condition:
        """How the language half is, and what is said instead of its verdicts.

        Degraded where it gives none now, or gave none for the last part. A fault where every part is an
        error until its worker, which was lost before it made a verdict, can be started.
        """
        trouble = self.trouble
        if not trouble:
            return Condition()
        if self._calibration_stands_in:
            return Condition(Level.DEGRADED, f"the calibrated score decides: {trouble}")
        lost = bool(self.worker.trouble) and self.worker.failures > 0
        return Condition(Level.FAULT if lost else Level.DEGRADED, f"parts are errors: {trouble}")

    @property
    def trouble(self) -> str:
        """Why the language model gives no verdict now, or gave none for the last part; empty: it is well."""
        of_this_process = self.worker.loads == self._erred_in
        return self.worker.trouble or (self._last_error if of_this_process else "")

    def use(self, description: str) -> None:
        """The parts that follow are of another product."""
        self._prompt = prompt_for(description)

    def warm_up(self, finding: Finding) -> None:
        """Read the prompt and one part, so that the first real part does not wait; else note why not."""
        try:
            self.worker.release(self._read(finding, _WARM_UP_S).dialogue)
        except LanguageError as error:
            self._note(error)

    def decide(self, finding: Finding) -> Decision:
        """The verdict on a part; what goes wrong is in the decision, never an exception."""
        try:
            reading = self._read(finding, self._timeout_s)
        except LanguageError as error:
            self._note(error)
            if self._calibration_stands_in:
                return Decision(finding.verdict, finding.p_anomaly, review=True, error=str(error))
            return Decision(Verdict.ERROR, None, error=str(error))
        self._last_error = ""
        verdict, p_anomaly = reading.verdict, reading.p_anomaly
        if self.decided_by == "either" and finding.verdict is Verdict.NG:
            verdict, p_anomaly = Verdict.NG, max(reading.p_anomaly, finding.p_anomaly)
        if reading.verdict is not verdict:
            self.worker.release(reading.dialogue)
        return Decision(
            verdict,
            round(p_anomaly, 4),
            review=reading.verdict is not finding.verdict,
            dialogue=reading.dialogue if reading.verdict is verdict else None,
        )

    def sentence(self, dialogue: int) -> str:
        """What the language model says of a part.

        Raises:
            LanguageError: the dialogue is over, or the words are not there in time.
        """
        return self.worker.answer(dialogue).strip()

    def release(self, dialogue: int) -> None:
        """Nothing more will be asked about a part; waits for nothing."""
        self.worker.release(dialogue)

    def _note(self, error: LanguageError) -> None:
        self._last_error, self._erred_in = str(error), self.worker.loads

    def _read(self, finding: Finding, timeout_s: float) -> Reading:
        if finding.rows is None:
            raise LanguageError(
                "The vision graph gives nothing for the language model to read.", "Build the bundle again."
            )
        return self.worker.judge(self._prompt, finding.rows, timeout_s)


@contextmanager
def opened_decider(
    bundle: Bundle,
    decided_by: DecidedBy = "language",
    *,
    description: str = "",
    limits: ModelLimits | None = None,
    calibration_stands_in: bool = False,
    timeout_s: float = TIMEOUT_S,
    patience_s: float | None = None,
) -> Iterator[Decider | None]:
    """A decider with the bundle's language model in its worker; None where the calibrated score decides.

    Args:
        patience_s: for the language model to be loaded; without it, parts are decided as
            ``calibration_stands_in`` says, and it is tried again in the background. None: a language model
            that cannot be loaded is an error.

    Raises:
        BundleError: the bundle has no language half.
        LanguageError: llama.cpp is missing, or the language model cannot be loaded.
    """
    if decided_by == "calibration":
        yield None
        return
    with closing(LanguageWorker(bundled_model(bundle), limits)) as worker:
        worker.start(patience_s)
        yield Decider(
            worker,
            decided_by=decided_by,
            calibration_stands_in=calibration_stands_in,
            timeout_s=timeout_s,
            description=description,
        )
