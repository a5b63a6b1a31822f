"""Every frame that a camera counted is either there or known to be missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.frame_ids import FrameIds


@pytest.mark.parametrize(
    ("ids", "missed"),
    [
        ([7], [0]),  # where a count begins says nothing
        ([1, 2, 3], [0, 0, 0]),
        ([65534, 65535, 1, 2], [0, 0, 0, 0]),  # the wrap leaves 0 out
        ([65534, 2], [0, 2]),
        ([10, 15], [0, 4]),
        ([70000, 70001, 70003], [0, 0, 1]),  # a 64-bit count does not wrap
        ([500, 1, 2], [0, 0, 0]),  # the camera restarted
    ],
)
def test_gaps_are_counted(ids: list[int], missed: list[int]) -> None:
    counter = FrameIds()
    assert [counter.follow(frame_id, complete=True) for frame_id in ids] == list(
        zip(ids, missed, strict=True)
    )


def test_a_frame_without_its_first_packet_is_the_next_one_whatever_its_buffer_says() -> None:
    counter = FrameIds()
    stale = 38
    seen = [
        counter.follow(*frame) for frame in [(53, True), (stale, False), (55, True), (57, False), (58, True)]
    ]
    assert seen == [(53, 0), (54, 0), (55, 0), (57, 1), (58, 0)]


def test_a_buffer_that_was_never_used_says_nothing() -> None:
    counter = FrameIds()
    seen = [counter.follow(*frame) for frame in [(0, False), (65000, True), (0, False), (65002, True)]]
    assert seen == [(0, 0), (65000, 0), (65001, 0), (65002, 0)]


def test_that_holds_across_the_wrap() -> None:
    counter = FrameIds()
    seen = [counter.follow(*frame) for frame in [(65535, True), (65522, False), (65523, False), (3, True)]]
    assert seen == [(65535, 0), (1, 0), (2, 0), (3, 0)]


@given(
    start=st.integers(1, 65535),
    fates=st.lists(st.sampled_from(["arrives", "headless", "lost"]), max_size=300),
)
def test_arrived_and_missed_together_are_all_that_were_sent(start: int, fates: list[str]) -> None:
    counter = FrameIds()
    counter.follow(start, complete=True)
    arrived = missed = 0
    held: list[int] = []  # what sixteen buffers held before, for the headless ones
    frame_id = start
    for fate in [*fates, "arrives"]:
        frame_id = frame_id % 65535 + 1
        if fate == "lost":
            continue
        stale = held[-16] if len(held) >= 16 else 0
        _, gap = counter.follow(frame_id if fate == "arrives" else stale, complete=fate == "arrives")
        held.append(frame_id)
        arrived += 1
        missed += gap
    assert arrived + missed == len(fates) + 1
