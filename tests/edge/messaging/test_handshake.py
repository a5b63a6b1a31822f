from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.inspection import Verdict
from edge.messaging import payloads
from edge.messaging.commands import CommandRefusedError
from edge.messaging.handshake import Handshake
from tests.edge.messaging.brokers import inspection


class Line:
    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.now = 0.0
        self.handshake = Handshake(self._write_down, result_timeout_s=5, clock=lambda: self.now)

    def _write_down(self, payload: bytes) -> None:
        fields = json.loads(payload)
        jsonschema.validate(fields, payloads.schema("handshake"))
        self.published.append(fields)

    def inspected(self, acquisition: int, verdict: Verdict = Verdict.OK, part_id: str = "") -> None:
        """An inspection of the image that an acquisition asked for."""
        self.handshake.observe(inspection(1, verdict, part_id=part_id, acquisition=acquisition))

    @property
    def signals(self) -> str:
        """The last published signals that are on."""
        return " ".join(name for name in ("ready", "busy", "valid") if self.published[-1][name])


@pytest.fixture
def line() -> Line:
    made = Line()
    made.handshake.enable(True)
    return made


def test_a_part_goes_from_ready_to_busy_to_valid_and_back(line: Line) -> None:
    assert line.signals == "ready"
    number = line.handshake.trigger("p-1")
    assert line.signals == "busy"
    line.inspected(number, Verdict.NG, "p-1")
    assert line.signals == "valid" and line.published[-1]["code"] == 2
    assert line.published[-1]["acquisition"] == number == 1
    line.handshake.acknowledge(number)
    assert line.signals == "ready" and line.published[-1]["code"] == 0


@pytest.mark.parametrize("state", ["busy", "valid", "paused"])
def test_a_trigger_at_the_wrong_time_is_a_missed_acquisition(line: Line, state: str) -> None:
    if state == "paused":
        line.handshake.enable(False)
    else:
        line.handshake.trigger()
    if state == "valid":
        line.inspected(1)
    before = line.signals
    with pytest.raises(CommandRefusedError, match="Missed acquisition"):
        line.handshake.trigger()
    assert line.published[-1]["missed"] == 1 and line.signals == before


def test_a_result_that_does_not_come_is_an_error(line: Line) -> None:
    line.handshake.trigger()
    line.now = 4.9
    line.handshake.check_time()
    assert line.signals == "busy"
    line.now = 5.1
    line.handshake.check_time()
    assert line.signals == "valid" and line.published[-1]["code"] == 3
    line.inspected(1)  # too late: it does not turn into an ok
    assert line.published[-1]["code"] == 3


@pytest.mark.parametrize("part_id", ["", "same"])
def test_a_late_result_is_not_the_next_acquisitions(line: Line, part_id: str) -> None:
    first = line.handshake.trigger(part_id)
    line.now = 6
    line.handshake.check_time()
    line.handshake.acknowledge(first)
    second = line.handshake.trigger(part_id)
    line.inspected(first, Verdict.OK, part_id)
    assert line.signals == "busy"
    line.inspected(second, Verdict.NG, part_id)
    assert (line.signals, line.published[-1]["code"], line.published[-1]["acquisition"]) == ("valid", 2, 2)


def test_an_inspection_that_no_acquisition_asked_for_is_not_the_result(line: Line) -> None:
    line.handshake.trigger("mine")
    line.inspected(0, Verdict.OK, "mine")
    assert line.signals == "busy"


def test_the_worst_of_several_cameras_is_the_result(line: Line) -> None:
    line.handshake.expect_views(2)
    number = line.handshake.trigger()
    line.inspected(number, Verdict.NG)
    assert line.signals == "busy"
    line.inspected(number, Verdict.OK)
    assert (line.signals, line.published[-1]["code"]) == ("valid", 2)
    line.handshake.acknowledge(number)
    number = line.handshake.trigger()
    line.inspected(number, Verdict.ERROR)
    assert (line.signals, line.published[-1]["code"]) == ("valid", 3), "an error waits for no other camera"


def test_an_acknowledgment_of_another_result_is_refused(line: Line) -> None:
    number = line.handshake.trigger()
    with pytest.raises(CommandRefusedError, match="none"):
        line.handshake.acknowledge(number)
    line.inspected(number)
    with pytest.raises(CommandRefusedError, match=f"acquisition {number}"):
        line.handshake.acknowledge(number + 1)
    assert line.signals == "valid"


def test_a_pause_while_a_result_waits_keeps_the_result(line: Line) -> None:
    number = line.handshake.trigger()
    line.inspected(number)
    line.handshake.enable(False)
    assert line.signals == "valid"
    line.handshake.acknowledge(number)
    assert line.signals == ""


def test_an_acquisition_that_could_not_be_made_leaves_the_station_ready(line: Line) -> None:
    line.handshake.abandon(line.handshake.trigger())
    assert line.signals == "ready"


class HandshakeMachine(RuleBasedStateMachine):
    """Whatever a PLC does and however late results are: a result is its own acquisition's.

    Each acquisition's part has a verdict of its own, fixed when it is triggered; its inspection can
    come at any time, also after its time was over and after any number of others, and more than once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.truth: dict[int, Verdict] = {}
        self.part_ids: dict[int, str] = {}
        self.timed_out: set[int] = set()

    @rule(on=st.booleans())
    def enable(self, on: bool) -> None:
        self.line.handshake.enable(on)

    @rule(verdict=st.sampled_from(Verdict), part_id=st.sampled_from(["", "same", "other"]))
    def trigger(self, verdict: Verdict, part_id: str) -> None:
        before = self.line.handshake.state
        try:
            number = self.line.handshake.trigger(part_id)
        except CommandRefusedError:
            assert not before.ready
            assert self.line.handshake.state.missed == before.missed + 1
        else:
            assert before.ready and number == before.acquisition + 1
            self.truth[number], self.part_ids[number] = verdict, part_id

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def inspect(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.truth)[-4:]))
        self.line.inspected(number, self.truth[number], self.part_ids[number])

    @rule(verdict=st.sampled_from(Verdict), part_id=st.sampled_from(["", "same"]))
    def inspect_a_stray(self, verdict: Verdict, part_id: str) -> None:
        before = self.line.handshake.state
        self.line.inspected(0, verdict, part_id)
        assert self.line.handshake.state == before

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        busy = self.line.handshake.state.busy
        self.line.now += seconds
        self.line.handshake.check_time()
        if busy and self.line.handshake.state.valid:
            self.timed_out.add(self.line.handshake.state.acquisition)

    @rule(offset=st.integers(-1, 1))
    def acknowledge(self, offset: int) -> None:
        before = self.line.handshake.state
        try:
            self.line.handshake.acknowledge(before.acquisition + offset)
        except CommandRefusedError:
            assert self.line.handshake.state == before
        else:
            assert before.valid and offset == 0

    @precondition(lambda self: self.line.handshake.state.busy)
    @rule()
    def abandon(self) -> None:
        self.line.handshake.abandon(self.line.handshake.state.acquisition)
        assert not self.line.handshake.state.valid

    @invariant()
    def signals_agree(self) -> None:
        state = self.line.handshake.state
        assert state.ready + state.busy + state.valid <= 1
        if not state.valid:
            assert state.code == 0
        elif state.acquisition in self.timed_out:
            assert state.code == 3
        else:
            assert state.code == self.truth[state.acquisition].code


TestHandshakeMachine = HandshakeMachine.TestCase
TestHandshakeMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
