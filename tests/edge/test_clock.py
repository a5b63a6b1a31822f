"""The station's clock goes on whatever is done to the computer's, and notices where that has jumped."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import BELIEVED_S, DAY_S, StationClock, confirm_date

START = 1_800_000_000.0


@dataclass
class Computer:
    """A computer whose clocks stand where the test wants them."""

    folder: Path
    wall_s: float = START
    steady_s: float = 100.0
    boot: str = "first"
    clock: StationClock = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> StationClock:
        self.clock = StationClock(
            self.folder, wall=lambda: self.wall_s, steady=lambda: self.steady_s, boot=lambda: self.boot
        )
        return self.clock

    def run(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    def reboot(self, off_s: float) -> None:
        self.wall_s += off_s
        self.steady_s, self.boot = 5.0, self.boot + "+"
        self.start()


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_it_begins_at_unix_time_and_counts_what_passes(computer: Computer) -> None:
    assert computer.clock.now() == START
    computer.run(10)
    assert computer.clock.now() == START + 10


@pytest.mark.parametrize("step_s", [30 * DAY_S, -30 * DAY_S, 740 * DAY_S, 0.9, -START])
def test_no_step_of_the_wall_clock_changes_it(computer: Computer, step_s: float) -> None:
    computer.wall_s += step_s
    computer.run(10)
    assert computer.clock.now() == START + 10


def test_it_goes_on_over_a_restart_of_the_program_and_of_the_computer(computer: Computer) -> None:
    computer.run(100)
    computer.clock.keep(at_once=True)
    computer.run(7)  # the program is not running, the computer is
    assert computer.start().now() == START + 107
    computer.clock.keep(at_once=True)
    computer.reboot(off_s=3600)
    assert computer.clock.now() == START + 107, "off is not counted: only the wall clock could tell it"
    computer.run(3)
    assert computer.clock.now() == START + 110


def test_a_jump_is_noticed_and_undone_by_the_clock_that_comes_back(computer: Computer) -> None:
    assert computer.clock.jump_s() == 0
    computer.wall_s += 740 * DAY_S
    assert computer.clock.jump_s() == pytest.approx(740 * DAY_S)
    computer.clock.keep(at_once=True)
    assert computer.start().jump_s() == pytest.approx(740 * DAY_S), "a restart believes nothing"
    computer.wall_s -= 740 * DAY_S
    assert computer.clock.jump_s() == 0


@pytest.mark.parametrize("off_days", [1, 13])
def test_a_plant_that_was_closed_is_no_jump(computer: Computer, off_days: float) -> None:
    computer.clock.keep(at_once=True)
    computer.reboot(off_s=off_days * DAY_S)
    assert computer.clock.jump_s() == 0
    computer.clock.keep(at_once=True)
    computer.reboot(off_s=off_days * DAY_S)
    assert computer.clock.jump_s() == 0, "and the next time neither"


def test_one_that_was_off_for_longer_asks(computer: Computer) -> None:
    computer.clock.keep(at_once=True)
    computer.reboot(off_s=60 * DAY_S)
    assert computer.clock.jump_s() == pytest.approx(60 * DAY_S)


def test_a_person_confirms_the_date_that_the_computer_shows(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.wall_s += 740 * DAY_S
    monkeypatch.setattr(time, "time", lambda: computer.wall_s)
    confirm_date(computer.folder)
    computer.run(60)
    assert computer.clock.jump_s() == 0
    computer.wall_s += 100 * DAY_S
    assert computer.clock.jump_s() == pytest.approx(100 * DAY_S), "not one that it jumps to later"


def test_an_old_confirmation_confirms_nothing(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: computer.wall_s)
    confirm_date(computer.folder)
    computer.wall_s += 740 * DAY_S
    assert computer.clock.jump_s() != 0
    assert computer.clock.jump_s() != 0


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"station_s": "x"}', '{"station_s": 5}'])
def test_a_file_that_cannot_be_read_begins_a_new_clock(computer: Computer, content: str) -> None:
    (computer.folder / "clock.json").write_text(content)
    assert computer.start().now() == computer.wall_s
    computer.clock.keep(at_once=True)
    assert json.loads((computer.folder / "clock.json").read_text())["boot"] == "first"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.floats(0, 1e6)),
            st.tuples(st.just("step"), st.floats(-1e9, 1e9)),
            st.tuples(st.just("restart"), st.floats(0, 1e6)),
            st.tuples(st.just("reboot"), st.floats(0, 1e8)),
        ),
        max_size=20,
    )
)
def test_it_never_goes_back_and_never_runs_ahead(steps: list[tuple[str, float]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        computer = Computer(Path(folder))
        ran = 0.0
        before = computer.clock.now()
        for what, seconds in steps:
            if what == "step":
                computer.wall_s += seconds
            else:
                computer.clock.keep(at_once=True)
                if what == "reboot":
                    computer.reboot(seconds)
                else:
                    computer.run(seconds)
                    ran += seconds
                    if what == "restart":
                        computer.start()
            now = computer.clock.now()
            assert now >= before - 1e-3
            before = now
        assert computer.clock.now() == pytest.approx(START + ran, abs=1e-3)
        assert BELIEVED_S < 30 * DAY_S
