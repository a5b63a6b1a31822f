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
    line.handshake.observe(inspection(1, Verdict.NG, part_id="p-1"))
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
        line.handshake.observe(inspection(1))
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
    line.handshake.observe(inspection(1, Verdict.OK))  # too late: it does not turn into an ok
    assert line.published[-1]["code"] == 3


def test_another_parts_inspection_is_not_the_result(line: Line) -> None:
    line.handshake.trigger("mine")
    line.handshake.observe(inspection(1, part_id="other"))
    assert line.signals == "busy"


def test_an_acknowledgment_of_another_result_is_refused(line: Line) -> None:
    number = line.handshake.trigger()
    with pytest.raises(CommandRefusedError, match="none"):
        line.handshake.acknowledge(number)
    line.handshake.observe(inspection(1))
    with pytest.raises(CommandRefusedError, match=f"acquisition {number}"):
        line.handshake.acknowledge(number + 1)
    assert line.signals == "valid"


def test_a_pause_while_a_result_waits_keeps_the_result(line: Line) -> None:
    number = line.handshake.trigger()
    line.handshake.observe(inspection(1))
    line.handshake.enable(False)
    assert line.signals == "valid"
    line.handshake.acknowledge(number)
    assert line.signals == ""


def test_an_acquisition_that_could_not_be_made_leaves_the_station_ready(line: Line) -> None:
    line.handshake.abandon(line.handshake.trigger())
    assert line.signals == "ready"


class HandshakeMachine(RuleBasedStateMachine):
    """Whatever a PLC does: one signal at a time, no result twice, an OK only from an OK."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.wanted_code = 0

    @rule(on=st.booleans())
    def enable(self, on: bool) -> None:
        self.line.handshake.enable(on)

    @rule()
    def trigger(self) -> None:
        before = self.line.handshake.state
        try:
            number = self.line.handshake.trigger()
        except CommandRefusedError:
            assert not before.ready
            assert self.line.handshake.state.missed == before.missed + 1
        else:
            assert before.ready and number == before.acquisition + 1
            self.wanted_code = 0

    @precondition(lambda self: self.line.handshake.state.busy)
    @rule(verdict=st.sampled_from(Verdict))
    def inspect(self, verdict: Verdict) -> None:
        self.line.handshake.observe(inspection(1, verdict))
        self.wanted_code = verdict.code

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        busy = self.line.handshake.state.busy
        self.line.now += seconds
        self.line.handshake.check_time()
        if busy and self.line.handshake.state.valid:
            self.wanted_code = 3

    @rule(offset=st.integers(-1, 1))
    def acknowledge(self, offset: int) -> None:
        before = self.line.handshake.state
        try:
            self.line.handshake.acknowledge(before.acquisition + offset)
        except CommandRefusedError:
            assert self.line.handshake.state == before
        else:
            assert before.valid and offset == 0
            self.wanted_code = 0

    @invariant()
    def signals_agree(self) -> None:
        state = self.line.handshake.state
        assert state.ready + state.busy + state.valid <= 1
        if state.valid:
            assert state.code == self.wanted_code > 0
        else:
            assert state.code == 0


TestHandshakeMachine = HandshakeMachine.TestCase
TestHandshakeMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
