"""The language model's Yes or No is the verdict, and what it cannot say is never an OK."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.cameras import Frame
from edge.errors import BundleError, LanguageError
from edge.inspection import Verdict
from edge.language import LanguageWorker, ModelLimits, bundled_model
from edge.station.deciding import Decider, opened_decider
from edge.station.health import Condition, Level
from edge.station.judging import Judge
from edge.station.products import Products
from edge.vision.inspector import Finding, Inspector
from edge.vision.openvino import OpenVinoEngine
from tests.edge.messaging.brokers import wait_until
from tests.edge.parts import good_part, stained_part

ENOUGH_S = 60.0  # A machine under load; no test waits that long where all is well.

IN_VAIN = r"in time|within 0\.001 s"  # whoever notices it first

MakeDecider = Callable[..., Decider]


@pytest.fixture(scope="module")
def inspector(speaking_enrolled: Path, speaking_bundle: Bundle) -> Iterator[Inspector]:
    engine = OpenVinoEngine(speaking_bundle, threads=1)
    yield Inspector(engine, Products(speaking_enrolled).get("plate").memory())
    engine.close()


@pytest.fixture(scope="module")
def worker(speaking_bundle: Bundle) -> Iterator[LanguageWorker]:
    with LanguageWorker(bundled_model(speaking_bundle), ModelLimits(threads=1)) as worker:
        yield worker


@pytest.fixture
def decider(worker: LanguageWorker) -> Decider:
    return Decider(worker, timeout_s=ENOUGH_S, description="a plate")


@pytest.fixture
def good(inspector: Inspector) -> Finding:
    return inspector.inspect(good_part(9))


@pytest.fixture
def stained(inspector: Inspector) -> Finding:
    return inspector.inspect(stained_part())


def frame(image: np.ndarray) -> Frame:
    return Frame(image, "part-1", "top", datetime(2026, 1, 2, tzinfo=timezone.utc), 1)


def test_a_verdict_is_the_models_own_and_can_be_put_into_words(
    decider: Decider, good: Finding, stained: Finding
) -> None:
    ok, ng = decider.decide(good), decider.decide(stained)
    assert (ok.verdict, ok.review, ok.error) == (Verdict.OK, False, "")
    assert (ng.verdict, ng.review, ng.error) == (Verdict.NG, False, "")
    assert ok.p_anomaly is not None and ng.p_anomaly is not None
    assert ok.p_anomaly < 0.5 < ng.p_anomaly
    assert ok.dialogue is not None and ng.dialogue is not None
    assert decider.sentence(ok.dialogue).startswith("No")
    assert decider.sentence(ng.dialogue).startswith("Yes")
    assert decider.trouble == ""


DISAGREEING = [
    # (decided by, whether the part is stained, what the score says of it, the verdict, whether it has words)
    ("language", True, Verdict.OK, Verdict.NG, True),
    ("language", False, Verdict.NG, Verdict.OK, True),
    ("either", True, Verdict.OK, Verdict.NG, True),
    ("either", False, Verdict.NG, Verdict.NG, False),  # "No, there is none" is no sentence for an NG
]


@pytest.mark.parametrize(("decided_by", "is_stained", "scored", "verdict", "has_words"), DISAGREEING)
def test_where_model_and_score_disagree_a_person_should_look(
    worker: LanguageWorker,
    good: Finding,
    stained: Finding,
    decided_by: str,
    is_stained: bool,
    scored: Verdict,
    verdict: Verdict,
    has_words: bool,
) -> None:
    decider = Decider(worker, decided_by=decided_by, timeout_s=ENOUGH_S)  # type: ignore[arg-type]
    finding = dataclasses.replace(stained if is_stained else good, verdict=scored)
    decision = decider.decide(finding)
    assert (decision.verdict, decision.review) == (verdict, True)
    assert (decision.dialogue is not None) == has_words


def test_the_description_is_part_of_the_question(decider: Decider, good: Finding) -> None:
    first = decider.decide(good).p_anomaly
    decider.use("an amber glass bottle seen from above, round, with a dark opening in its middle")
    assert decider.decide(good).p_anomaly != first
    decider.use("a plate")
    assert decider.decide(good).p_anomaly == first


def test_an_ng_has_a_place_and_an_ok_has_none_whatever_the_score_says(
    inspector: Inspector, decider: Decider
) -> None:
    judge = Judge(inspector, station="s", product="plate", bundle="b", decider=decider)
    ok, ng = judge.judge(frame(good_part(9))), judge.judge(frame(stained_part()))
    assert (ok.inspection.verdict, ng.inspection.verdict) == (Verdict.OK, Verdict.NG)
    assert not ok.inspection.location and not ok.inspection.regions
    assert ng.inspection.location and ng.inspection.regions
    latency_ms = ng.inspection.latency_ms
    assert latency_ms["language"] > 0
    assert latency_ms["total"] >= sum(ms for name, ms in latency_ms.items() if name != "total") - 0.01


def test_a_model_that_is_late_is_an_error_or_the_score_stands_in(
    inspector: Inspector, worker: LanguageWorker, good: Finding
) -> None:
    late = Decider(worker, timeout_s=0.001)
    decision = late.decide(good)
    assert (decision.verdict, decision.p_anomaly) == (Verdict.ERROR, None)
    assert re.search(IN_VAIN, decision.error)
    assert late.condition.level is Level.DEGRADED and late.condition.detail.startswith("parts are errors: ")
    part = Judge(inspector, station="s", product="plate", bundle="b", decider=late).judge(frame(good_part(9)))
    assert part.inspection.verdict is Verdict.ERROR
    assert re.search(IN_VAIN, part.inspection.error)
    assert part.language_error == part.inspection.error
    assert not part.engine_error
    assert wait_until(lambda: not worker.trouble)

    standing_in = Decider(worker, timeout_s=0.001, calibration_stands_in=True)
    decision = standing_in.decide(good)
    assert (decision.verdict, decision.p_anomaly) == (good.verdict, good.p_anomaly)
    assert decision.review
    assert standing_in.condition.level is Level.DEGRADED
    assert standing_in.condition.detail.startswith("the calibrated score decides: ")
    assert wait_until(lambda: not worker.trouble)
    assert standing_in.trouble, "no part has had its verdict since"


def test_a_worker_that_cannot_be_started_is_a_fault_only_where_parts_are_errors(
    speaking_bundle: Bundle, good: Finding, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "no-python"))
        with pytest.raises(LanguageError, match="no-python"), opened_decider(speaking_bundle):
            pass
        with opened_decider(speaking_bundle, calibration_stands_in=True, patience_s=ENOUGH_S) as decider:
            assert decider is not None
            decision = decider.decide(good)
            assert (decision.verdict, decision.p_anomaly) == (good.verdict, good.p_anomaly)
            assert decision.review and "no-python" in decision.error
            assert decider.condition.level is Level.DEGRADED
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "no-python"))
        with opened_decider(speaking_bundle, patience_s=ENOUGH_S) as decider:
            assert decider is not None
            assert decider.decide(good).verdict is Verdict.ERROR
            assert decider.condition.level is Level.FAULT
            patch.undo()
            assert wait_until(lambda: not decider.trouble, ENOUGH_S)
            assert decider.decide(good).verdict is Verdict.OK
            assert decider.condition == Condition()


def test_rows_that_the_model_refuses_are_an_error(decider: Decider, good: Finding) -> None:
    assert good.rows is not None
    decision = decider.decide(dataclasses.replace(good, rows=np.full_like(good.rows, np.nan)))
    assert decision.verdict is Verdict.ERROR
    assert "not finite" in decision.error
    assert decider.decide(dataclasses.replace(good, rows=None)).verdict is Verdict.ERROR
    assert decider.decide(good).verdict is Verdict.OK
    assert decider.trouble == ""


def test_a_killed_worker_is_asked_again_and_its_part_has_its_verdict(
    decider: Decider, worker: LanguageWorker, good: Finding
) -> None:
    before = decider.decide(good)
    assert worker.pid is not None and before.dialogue is not None
    os.kill(worker.pid, signal.SIGKILL)
    after = decider.decide(good)
    assert dataclasses.replace(after, dialogue=0) == dataclasses.replace(before, dialogue=0)
    with pytest.raises(LanguageError, match="has ended"):
        decider.sentence(before.dialogue)


def test_a_bundle_that_only_sees_says_what_to_do(tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"no language half.*decided_by"), opened_decider(tiny_bundle):
        pass
    with opened_decider(tiny_bundle, "calibration") as decider:
        assert decider is None
