"""A driver's wall-clock stamp keeps its place in time, whatever the wall clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.host_clock import HostClock


class Machine:
    """Its two clocks, in the test's hand."""

    def __init__(self) -> None:
        self.steady_s = 100.0
        self.offset_s = 1.7e9
        self.clock = HostClock(lambda: self.wall_s, lambda: self.steady_s)

    @property
    def wall_s(self) -> float:
        return self.steady_s + self.offset_s


def test_a_stamp_is_translated() -> None:
    machine = Machine()
    stamp_s = machine.wall_s
    machine.steady_s += 0.25
    assert machine.clock.steady(stamp_s) == pytest.approx(100.0, abs=1e-3)


@pytest.mark.parametrize("step_s", [-30 * 86400.0, -0.9, 0.9, 30 * 86400.0])
def test_after_a_step_the_next_stamps_are_where_they_were_taken(step_s: float) -> None:
    machine = Machine()
    machine.clock.steady(machine.wall_s)
    machine.steady_s += 1
    machine.clock.look()
    machine.offset_s += step_s
    machine.clock.look()
    machine.steady_s += 1
    stamp_s = machine.wall_s
    machine.steady_s += 0.05
    assert machine.clock.steady(stamp_s) == pytest.approx(102.0, abs=1e-3)


def test_a_stamp_that_may_be_from_before_a_step_or_from_after_it_is_unknown() -> None:
    machine = Machine()
    machine.steady_s += 5
    machine.clock.look()
    stamp_s = machine.wall_s  # taken at 105, and read at 107 by a clock that was set back by 0.9 s
    machine.steady_s += 2
    machine.offset_s -= 0.9
    assert machine.clock.steady(stamp_s) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.sampled_from([0.0] * 6 + [-0.9, 0.9, 2.6e6, -2.6e6]), st.floats(0, 1)),
        max_size=30,
    )
)
def test_a_translated_stamp_is_never_wrong(steps: list[tuple[float, float, float]]) -> None:
    """Stamped, perhaps set while it waits, read: the moment it was taken, or unknown."""
    machine = Machine()
    for wait_s, step_s, held_s in steps:
        machine.steady_s += wait_s
        machine.clock.look()
        taken_s, stamp_s = machine.steady_s, machine.wall_s
        machine.offset_s += step_s
        machine.steady_s += held_s
        found = machine.clock.steady(stamp_s)
        assert found is None or found == pytest.approx(taken_s, abs=0.05)
