"""Between camera and inspector no part is lost: it waits, or it is said to be skipped."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras import Frame
from edge.choices import QueuePolicy
from edge.station.part_queue import PartQueue, QueuedPart


def frame(number: int, error: str = "", camera: str = "camera") -> Frame:
    image = None if error else np.zeros((32, 32), np.uint8)
    return Frame(image, f"part-{number}", camera, datetime.now(timezone.utc), number, error)


def drain(queue: PartQueue) -> list[QueuedPart]:
    parts = []
    while (part := queue.take(0)) is not None:
        parts.append(part)
    return parts


def test_skip_says_which_parts_were_not_inspected_and_keeps_their_order() -> None:
    queue = PartQueue(2, "skip")
    for number in range(4):
        queue.put(frame(number))
    queue.take(0)
    queue.put(frame(4))
    parts = drain(queue)
    assert [part.frame.frame_id for part in parts] == [1, 2, 3, 4]
    assert [part.overrun for part in parts] == [False, True, True, False]
    assert all(part.frame.image is None and part.frame.error.startswith("overrun:") for part in parts[1:3])


def test_latest_keeps_the_newest_images_and_says_which_parts_gave_way_in_their_place() -> None:
    queue = PartQueue(2, "latest")
    for number, error in enumerate(["", "damaged", "", "", ""]):
        queue.put(frame(number, error))
    parts = drain(queue)
    assert [part.frame.part_id for part in parts] == [f"part-{number}" for number in range(5)]
    assert [part.overrun for part in parts] == [True, False, True, False, False]
    assert [part.frame.image is None for part in parts] == [True, True, True, False, False]
    assert parts[0].frame.error.startswith("overrun:")


def test_cameras_are_served_in_turn_and_each_has_its_own_room() -> None:
    queue = PartQueue(2, "skip")
    for number in range(4):
        queue.put(frame(number, camera="fast"))
    queue.put(frame(10, camera="slow"))
    parts = drain(queue)
    assert [part.frame.camera for part in parts] == ["fast", "slow", "fast", "fast", "fast"]
    assert [part.overrun for part in parts] == [False, False, False, True, True]


def test_wait_holds_the_camera_until_there_is_room() -> None:
    queue = PartQueue(1, "wait")
    queue.put(frame(0))
    waiting = threading.Thread(target=queue.put, args=(frame(1),))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    waiting_part = queue.take(0)
    assert waiting_part is not None and waiting_part.frame.frame_id == 0
    waiting.join(10)
    assert [part.frame.frame_id for part in drain(queue)] == [1]


def test_wait_asks_the_camera_when_there_is_room_and_the_others_always() -> None:
    for policy in ("skip", "latest"):
        queue = PartQueue(1, policy)
        queue.put(frame(0))
        assert queue.wait_for_room("camera", 0)
    queue = PartQueue(1, "wait")
    assert queue.wait_for_room("camera", 0)
    queue.put(frame(0))
    assert not queue.wait_for_room("camera", 0)
    assert queue.wait_for_room("another", 0), "each camera has its own room"
    queue.take(0)
    assert queue.wait_for_room("camera", 0)


def test_without_room_a_part_comes_only_to_an_inspector_that_is_idle() -> None:
    queue = PartQueue(0, "wait")
    assert not queue.wait_for_room("camera", 0), "nobody takes yet"
    taken: list[QueuedPart | None] = []
    inspector = threading.Thread(target=lambda: taken.append(queue.take(10)))
    inspector.start()
    assert queue.wait_for_room("camera", 10)
    queue.put(frame(0))
    inspector.join(10)
    assert [(part.frame.frame_id, part.overrun) for part in taken if part is not None] == [(0, False)]
    assert not queue.wait_for_room("camera", 0), "it is at work"
    waiting = threading.Thread(target=queue.put, args=(frame(1),))  # as of a second camera
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    part = queue.take(10)
    assert part is not None and (part.frame.frame_id, part.overrun) == (1, False)
    waiting.join(10)
    queue.end()
    assert queue.wait_for_room("camera", 0), "at the end nobody is held"


def test_a_frame_with_an_error_takes_no_room() -> None:
    queue = PartQueue(1, "skip")
    queue.put(frame(0, "damaged"))
    queue.put(frame(1))
    assert [part.overrun for part in drain(queue)] == [False, False]


def test_after_the_end_what_waits_is_still_given_and_nothing_is_added() -> None:
    queue = PartQueue(4, "wait")
    queue.put(frame(0))
    queue.end()
    queue.put(frame(1))
    assert not queue.drained
    assert [part.frame.frame_id for part in drain(queue)] == [0]
    assert queue.drained


def test_the_end_frees_a_camera_that_waits() -> None:
    queue = PartQueue(1, "wait")
    queue.put(frame(0))
    waiting = threading.Thread(target=queue.put, args=(frame(1),))
    waiting.start()
    queue.end()
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.parametrize("policy", ["skip", "latest"])
@pytest.mark.parametrize("capacity", [1, 3])
@given(steps=st.lists(st.sampled_from(["image", "error", "take"]), max_size=60))
def test_every_part_that_is_put_is_taken_once_in_order(
    capacity: int, policy: QueuePolicy, steps: list[str]
) -> None:
    queue = PartQueue(capacity, policy)
    taken: list[QueuedPart] = []
    put = 0
    for step in steps:
        if step == "take":
            part = queue.take(0)
            taken += [] if part is None else [part]
            continue
        queue.put(frame(put, "damaged" if step == "error" else ""))
        put += 1
    taken += drain(queue)
    assert [part.frame.frame_id for part in taken] == list(range(put))
    assert all((part.frame.image is None) == bool(part.frame.error) for part in taken)
