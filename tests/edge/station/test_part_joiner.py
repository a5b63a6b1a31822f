"""Images of one part come together, whatever is lost on the way; no image is lost, none is in two parts."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras import Frame
from edge.station.part_joiner import JoinedPart, PartJoiner
from edge.station.part_queue import QueuedPart

CAMERAS = ("top", "side", "below")
WINDOW_S = 5.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def image(part_id: str, camera: str, number: int = 0) -> QueuedPart:
    frame = Frame(np.zeros((2, 2), np.uint8), part_id, camera, datetime.now(timezone.utc), number)
    return QueuedPart(frame, arrived_s=float(number))


def names(part: JoinedPart | None) -> list[tuple[str, str]]:
    return [] if part is None else [(frame.part_id, frame.camera) for frame in part.frames]


def test_a_part_goes_on_with_its_last_view() -> None:
    joiner = PartJoiner(WINDOW_S, Clock())
    joiner.expect(CAMERAS[:2])
    joiner.add(image("p-1", "top", 1))
    joiner.add(image("p-2", "top", 2))
    assert joiner.take() is None
    joiner.add(image("p-2", "side", 3))
    assert names(part := joiner.take()) == [("p-2", "top"), ("p-2", "side")]
    assert part is not None and part.arrived_s == 3
    joiner.add(image("p-1", "side", 4))
    assert names(joiner.take()) == [("p-1", "top"), ("p-1", "side")]
    assert joiner.is_empty


def test_a_part_that_lacks_a_view_goes_on_when_its_time_is_over_and_not_before() -> None:
    clock = Clock()
    joiner = PartJoiner(WINDOW_S, clock)
    joiner.expect(CAMERAS[:2])
    joiner.add(image("p-1", "top"))
    clock.now_s += WINDOW_S
    joiner.add(image("p-2", "side"))
    assert joiner.take() is None
    clock.now_s += 0.1
    assert names(joiner.take()) == [("p-1", "top")]
    assert joiner.take() is None and not joiner.is_empty


def test_each_image_is_a_part_where_the_product_has_one_view_or_one_camera() -> None:
    joiner = PartJoiner(WINDOW_S, Clock())
    for cameras in ((), ("top",)):
        joiner.expect(cameras)
        joiner.add(image("same", "top"))
        joiner.add(image("same", "side"))
        assert [names(joiner.take()) for _ in range(3)] == [[("same", "top")], [("same", "side")], []]


def test_a_change_of_cameras_lets_what_waits_go_on() -> None:
    joiner = PartJoiner(WINDOW_S, Clock())
    joiner.expect(CAMERAS)
    joiner.add(image("p-1", "top"))
    joiner.expect(())
    assert names(joiner.take()) == [("p-1", "top")]


def test_a_camera_that_shows_nothing_does_not_fill_the_memory() -> None:
    joiner = PartJoiner(WINDOW_S, Clock())
    joiner.expect(CAMERAS[:2])
    for number in range(100):
        joiner.add(image(f"p-{number}", "top", number))
    assert names(joiner.take()) == [("p-0", "top")]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from([*CAMERAS, "another"])),
            st.floats(0, 2 * WINDOW_S),
        ),
        max_size=60,
    )
)
def test_whatever_comes_and_whatever_does_not_every_image_is_in_one_part(
    happens: list[tuple[str, str] | float],
) -> None:
    clock = Clock()
    joiner = PartJoiner(WINDOW_S, clock)
    joiner.expect(CAMERAS)
    parts: list[JoinedPart] = []
    given_in: list[QueuedPart] = []
    for what in happens:
        if isinstance(what, float):
            clock.now_s += what
        else:
            given_in.append(image(*what, number=len(given_in)))
            joiner.add(given_in[-1])
        while (part := joiner.take()) is not None:
            parts.append(part)
    joiner.release()
    while (part := joiner.take()) is not None:
        parts.append(part)
    assert joiner.is_empty
    taken = Counter(each.frame.frame_id for part in parts for each in part.images)
    assert taken == Counter(range(len(given_in)))
    for part in parts:
        assert len({part_id for part_id, _ in names(part)}) == 1
        cameras = [camera for _, camera in names(part)]
        assert len(cameras) == len(set(cameras))
        assert cameras == ["another"] or "another" not in cameras
