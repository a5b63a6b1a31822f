"""The picture of the map shows what imports what, and nothing that could be read as something else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.picture import direct, drawn, levels
from tests.rooms import arrows, rooms

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = ElementTree.fromstring(drawn())


def test_the_same_code_gives_the_same_picture() -> None:
    assert drawn() == drawn()


def test_every_room_has_its_box() -> None:
    names = [text.text for text in PICTURE.iter(f"{SVG}text") if text.get("font-size") == "13"]
    assert sorted(names, key=str) == sorted(room.partition(".")[2] for room in rooms())


def test_no_arrow_passes_a_room_that_is_at_neither_of_its_ends() -> None:
    """It would be read as an arrow from or to that room."""
    boxes = [
        [float(box.attrib[key]) for key in ("x", "y", "width", "height")]
        for box in PICTURE.iter(f"{SVG}rect")
        if box.get("rx") == "5"
    ]
    paths = [path.attrib["d"] for path in PICTURE.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(boxes) == len(rooms()) and len(paths) > 20
    for path in paths:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
        for step in range(1, 200):
            t = step / 200
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * n for w, n in zip(weights, numbers[axis::2], strict=True)) for axis in (0, 1))
            assert not any(left < x < left + w and top < y < top + h for left, top, w, h in boxes), path


def test_a_room_stands_above_all_that_it_imports() -> None:
    own = {
        room: {target for target in targets if target.startswith("edge.")}
        for room, targets in arrows().items()
        if room.startswith("edge.")
    }
    row = {room: number for number, names in enumerate(levels(own)) for room in names}
    assert all(row[room] < row[target] for room, targets in own.items() for target in targets)


def test_an_arrow_that_two_others_say_already_is_left_out() -> None:
    assert direct({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}
