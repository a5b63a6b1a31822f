"""A line that knows which part each image shows, and a station's triggers beside it.

Parts pass one after the other. Each is announced, and each is seen by a camera, unless something
goes wrong: the announcement is missed or late, the camera takes no image, takes it and loses it on
the way (which its own count shows), sends half of one, or takes a second one of the same part. The
station's thread can be held up, so that images wait; the wall clock is set.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import numpy as np
from hypothesis import strategies as st

from edge.cameras import Frame
from edge.station.triggers import Triggers

IMAGE = np.zeros((40, 40), np.uint8)
EPOCH = datetime(2026, 1, 2, tzinfo=timezone.utc)
_TURN_S = 0.2


@dataclass(frozen=True)
class Passing:
    """One part's way past the station; times in seconds.

    Attributes:
        after_s: since the part before.
        announced_after_s: after the part is there; None: never.
        seen_after_s: after the part is there.
        image: ``good``, ``missed`` (never taken), ``lost`` (taken, counted, not arrived) or ``half``.
        seen_again_after_s: after its image; None: once, as it should be.
        held_s: so long the station's thread takes no image from now on.
        clock_step_s: by so much the wall clock is set.
    """

    after_s: float
    announced_after_s: float | None
    seen_after_s: float
    image: str = "good"
    seen_again_after_s: float | None = None
    held_s: float = 0.0
    clock_step_s: float = 0.0


def passings(
    distance_s: float,
    seen_within_s: float,
    announced_within_s: float,
    *,
    triggers_missed: bool,
    images: tuple[str, ...],
) -> st.SearchStrategy[list[Passing]]:
    """Lines on which parts come ``distance_s`` apart or more, with every fault that is named."""
    announced: st.SearchStrategy[float | None] = st.floats(0, announced_within_s)
    if triggers_missed:
        announced = st.one_of(announced, announced, st.none())
    usually_none = st.sampled_from([0.0] * 5)
    return st.lists(
        st.builds(
            Passing,
            after_s=st.sampled_from([1.0, 1.0, 1.0, 1.1, 2.0, 6.0]).map(lambda factor: factor * distance_s),
            announced_after_s=announced,
            seen_after_s=st.floats(0.001, seen_within_s),
            image=st.sampled_from(("good",) * 3 + images),
            seen_again_after_s=st.one_of(
                st.none(), st.none(), st.none(), st.floats(0.001, 0.1).map(lambda s: s * distance_s)
            ),
            held_s=st.one_of(usually_none, st.floats(0, 4 * distance_s)),
            clock_step_s=st.one_of(usually_none, st.sampled_from([-0.9, 0.9, 30 * 86400.0, -30 * 86400.0])),
        ),
        min_size=1,
        max_size=14,
    )


# A window shorter than the distance by what announcements are late: then everything may go wrong at
# once. Times are in seconds and parts one second apart or more.
_ANYTHING = st.sampled_from([0.2, 0.5, 0.8]).flatmap(
    lambda window_s: st.tuples(
        passings(1.0, window_s, 1.0 - window_s, triggers_missed=True, images=("missed", "lost", "half")),
        st.just(window_s),
    )
)

# A window longer than the distance: an image and an announcement of two parts that follow each other
# look like one part's where nothing counts them. Whatever else goes wrong, no part is mislabelled.
_IMAGES_MISSED = passings(1.0, 0.7, 0.0, triggers_missed=False, images=("missed", "lost", "half"))
_TRIGGERS_MISSED = passings(1.0, 0.7, 0.0, triggers_missed=True, images=("lost", "half"))
_ANNOUNCED_LATE = passings(1.0, 0.7, 0.95, triggers_missed=False, images=("lost", "half"))
_TOO_LONG = st.tuples(
    st.one_of(_IMAGES_MISSED, _TRIGGERS_MISSED, _ANNOUNCED_LATE), st.sampled_from([2.0, 5.0])
)

LINES = st.one_of(_ANYTHING, _TOO_LONG)
"""Lines with the window of the station beside them."""


@dataclass
class Outcome:
    """What came of a line: the frames in the order in which the station would inspect them.

    Attributes:
        frames: each with ``chunks["shows"]``: the number of the part that the image really shows.
        announced: names in the order in which they reached the station.
    """

    frames: list[Frame] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    @property
    def judged(self) -> list[str]:
        """The parts that would get a verdict ok or ng."""
        return [frame.part_id for frame in self.frames if frame.image is not None]

    @property
    def mislabelled(self) -> list[tuple[str, str]]:
        """Parts that would get a verdict on another part's image: whose name, and whose image."""
        pairs = [(f.part_id, f"P{f.chunks['shows']}") for f in self.frames if f.image is not None]
        return [(name, shown) for name, shown in pairs if name != shown]


def run(line: list[Passing], window_s: float) -> Outcome:
    """Let the line pass a station with this window, and wait until every window is over."""
    now_s = [0.0]
    triggers = Triggers("top", window_s, lambda: now_s[0])
    outcome = Outcome()
    events = _events(line)
    end_s = max(at for at, *_ in events) + max(passing.held_s for passing in line) + window_s + 1
    waiting: list[Frame] = []
    held_until_s, wall_s, turn_s = 0.0, 0.0, _TURN_S
    while now_s[0] < end_s:
        while turn_s <= (events[0][0] if events else end_s):
            now_s[0], turn_s = turn_s, turn_s + _TURN_S
            if turn_s < held_until_s:
                continue
            if waiting:
                for frame in waiting:
                    outcome.frames += triggers.match(frame)
                waiting.clear()
            else:
                outcome.frames += triggers.overdue()
        if not events:
            break
        at_s, _, kind, number = heapq.heappop(events)
        now_s[0], passing = at_s, line[number]
        if kind == "there":
            held_until_s, wall_s = max(held_until_s, at_s + passing.held_s), wall_s + passing.clock_step_s
        elif kind == "announced":
            outcome.announced.append(f"P{number}")
            triggers.expect(f"P{number}")
        else:
            error = "" if kind == "good" else "The image is incomplete."
            waiting.append(
                Frame(
                    image=IMAGE if kind == "good" else None,
                    part_id="own-name",
                    camera="top",
                    captured_at=EPOCH + timedelta(seconds=at_s + wall_s),
                    frame_id=1,
                    error=error,
                    missed=int(kind == "lost"),
                    lost=kind == "lost",
                    captured_s=at_s,
                    chunks={"shows": number},
                )
            )
    return outcome


def _events(line: list[Passing]) -> list[tuple[float, int, str, int]]:
    """What happens when: a heap of time, a number for what happens at one time, kind, part."""
    events: list[tuple[float, int, str, int]] = []

    def at(moment_s: float, kind: str, number: int) -> None:
        heapq.heappush(events, (moment_s, len(events), kind, number))

    there_s = 1.0
    for number, passing in enumerate(line):
        there_s += passing.after_s
        at(there_s, "there", number)
        if passing.announced_after_s is not None:
            at(there_s + passing.announced_after_s, "announced", number)
        seen_s = there_s + passing.seen_after_s
        if passing.image != "missed":
            at(seen_s, passing.image, number)
            if passing.seen_again_after_s is not None:
                at(seen_s + passing.seen_again_after_s, "good", number)
    return events
