"""A part that takes much longer than is usual hangs; a slow machine and a quiet line do not."""

from __future__ import annotations

from edge.station.progress import ThreadProgress

SENTENCE = "Part {name} has not ended in {limit_s} s."


class Clock:
    """Seconds, in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_part_that_does_not_end_hangs_until_it_has_ended() -> None:
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, clock=clock)
    with progress.working_on("P1"):
        clock.now_s = 2.0
        assert progress.hang == ""
        clock.now_s = 2.1
        assert progress.hang == "Part P1 has not ended in 2 s."
    assert progress.hang == ""


def test_a_line_without_parts_does_not_hang() -> None:
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, clock=clock)
    clock.now_s = 3600.0
    assert progress.hang == ""


def test_where_parts_take_long_it_takes_longer_to_hang() -> None:
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, first_s=3.5, clock=clock)
    for _ in range(3):
        with progress.working_on("slow"):
            clock.now_s += 3.0
            assert progress.hang == ""
    with progress.working_on("hung"):
        clock.now_s += 11.9
        assert progress.hang == ""
        clock.now_s += 0.2
        assert progress.hang


def test_one_part_that_hung_does_not_make_hanging_usual() -> None:
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, clock=clock)
    for seconds in (0.1, 0.1, 60.0):
        with progress.working_on("part"):
            clock.now_s += seconds
    with progress.working_on("part"):
        clock.now_s += 2.1
        assert progress.hang


def test_a_part_that_fails_has_ended() -> None:
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, clock=clock)
    try:
        with progress.working_on("part"):
            raise LookupError
    except LookupError:
        clock.now_s += 10.0
    assert progress.hang == ""


def test_a_part_that_is_looked_at_more_often_may_take_longer() -> None:
    """Also right after a change of product, while what was usual is of the one before."""
    clock = Clock()
    progress = ThreadProgress(2.0, SENTENCE, first_s=0.2, clock=clock)
    with progress.working_on("first of twenty looks", 20):
        clock.now_s += 3.9
        assert progress.hang == ""
        clock.now_s += 0.2
        assert progress.hang
        clock.now_s -= 2.1  # as if it had been done in 2 s
    for looks, limit_s in ((1, 2.0), (30, 12.0), (1, 2.0)):
        with progress.working_on("part", looks):
            clock.now_s += limit_s - 0.1
            assert progress.hang == ""
            clock.now_s += 0.2
            assert progress.hang
            clock.now_s += 0.1 * looks - limit_s - 0.1
