"""The picture of the map: rooms as boxes, imports as arrows that point down, drawn from the code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from html import escape

from tests.rooms import arrows, modules, room_of

_BOX, _GAP, _ROW, _MARGIN = (132, 40), 18, 92, 24
_NEAR, _STEPS = 6, 60
_COLOURS = {"edge": "#dbe9f6", "build_engines": "#fbe7c6", "models": "#e3efd9"}
_TITLES = {
    "models": "models: trained with torch",
    "build_engines": "build_engines: makes what a station loads",
    "edge": "edge: runs on the station",
}


@dataclass(frozen=True)
class Box:
    """A room, and where the corner of its box is."""

    room: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + _BOX[0] / 2


@dataclass(frozen=True)
class Curve:
    """A cubic Bézier curve by its four points."""

    points: tuple[tuple[float, float], ...]

    def meets(self, box: Box) -> bool:
        """Whether it comes to a box, or as near as makes it hard to see."""
        return any(
            box.x - _NEAR < x < box.x + _BOX[0] + _NEAR and box.y - _NEAR < y < box.y + _BOX[1] + _NEAR
            for x, y in map(self._at, range(1, _STEPS))
        )

    def _at(self, step: int) -> tuple[float, float]:
        t = step / _STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        x, y = (
            sum(w * point[axis] for w, point in zip(weights, self.points, strict=True)) for axis in (0, 1)
        )
        return x, y


def levels(found: Mapping[str, set[str]]) -> list[list[str]]:
    """The rooms of a package from the top down: each stands above all that it imports."""
    height: dict[str, int] = {}
    while len(height) < len(found):
        for room in found:
            if found[room] <= height.keys():
                height.setdefault(room, max((height[below] + 1 for below in found[room]), default=0))
    return [
        sorted(room for room in found if height[room] == level)
        for level in range(max(height.values()), -1, -1)
    ]


def direct(found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The arrows without those that another path says already."""

    def below(room: str) -> set[str]:
        return set().union(*({one} | below(one) for one in found[room]))

    return {
        room: {one for one in targets if not any(one in below(other) for other in targets - {one})}
        for room, targets in found.items()
    }


def drawn() -> str:
    """The picture as SVG; the same code gives the same bytes."""
    panels = []
    left = height = float(_MARGIN)
    for package in ("edge", "build_engines", "models"):
        panel, width, bottom = _panel(package, left)
        panels.append(panel)
        left, height = left + width + _MARGIN, max(height, bottom + _MARGIN)
    body = "\n".join(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left:g} {height:g}" '
        'font-family="DejaVu Sans, Arial, sans-serif">\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#5a6570"/></marker></defs>\n'
        f'<rect width="{left:g}" height="{height:g}" fill="white"/>\n{body}\n</svg>\n'
    )


def _panel(package: str, left: float) -> tuple[str, float, float]:
    """A package's rooms and the arrows between them; with the panel's width and its bottom."""
    own = {
        room: {target for target in targets if target.startswith(f"{package}.")}
        for room, targets in arrows().items()
        if room.startswith(f"{package}.")
    }
    rows = levels(own)
    width = max(len(row) for row in rows) * (_BOX[0] + _GAP) + 2 * _MARGIN
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        start = left + (width - len(row) * (_BOX[0] + _GAP) + _GAP) / 2
        for place, room in enumerate(row):
            boxes[room] = Box(room, start + place * (_BOX[0] + _GAP), 2.5 * _MARGIN + number * _ROW)
    bottom = 2.5 * _MARGIN + (len(rows) - 1) * _ROW + _BOX[1] + _MARGIN
    frame = (
        f'<rect x="{left:g}" y="{_MARGIN}" width="{width:g}" height="{bottom - _MARGIN:g}" rx="8" '
        f'fill="{_COLOURS[package]}" fill-opacity="0.45" stroke="#9aa5b1"/>\n'
        f'<text x="{left + 14:g}" y="{_MARGIN + 22}" font-size="14" font-weight="bold" fill="#28323c">'
        f"{escape(_TITLES[package])}</text>"
    )
    lines = [
        _arrow(boxes[room], boxes[target], boxes.values())
        for room, targets in direct(own).items()
        for target in sorted(targets)
    ]
    return "\n".join([frame, *lines, *map(_box, boxes.values())]), width, bottom


def _box(box: Box) -> str:
    package, _, name = box.room.partition(".")
    count = sum(room_of(module) == box.room for module in modules())
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5" '
        f'fill="{_COLOURS[package]}" stroke="#5a6570"/>\n'
        f'<text x="{box.middle:g}" y="{box.y + 18:g}" font-size="13" text-anchor="middle" fill="#1b242d">'
        f"{name}</text>\n"
        f'<text x="{box.middle:g}" y="{box.y + 33:g}" font-size="10" text-anchor="middle" fill="#5a6570">'
        f"{count} modules</text>"
    )


def _arrow(source: Box, target: Box, boxes: Collection[Box]) -> str:
    """A curve that passes no box; of those the straightest."""
    others = [box for box in boxes if box not in (source, target)]
    curves = [one for one in _curves(source, target) if not any(map(one.meets, others))]
    assert curves, f"no way from {source.room} to {target.room} that passes no other room"
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = curves[0].points
    return (
        f'<path d="M{x0:g} {y0:g}C{x1:g} {y1:g} {x2:g} {y2:g} {x3:g} {y3:g}" fill="none" stroke="#5a6570" '
        'stroke-width="1.1" marker-end="url(#tip)"/>'
    )


def _curves(source: Box, target: Box) -> Iterator[Curve]:
    """From one box down to another, bent more and more to either side."""
    start, end = source.y + _BOX[1], target.y
    side = 1 if target.middle >= source.middle else -1
    for bend in range(0, 4 * _BOX[0], 12):
        for bulge in (side * bend, -side * bend):
            for reach in (40, 90):  # how far a curve goes on before it turns
                yield Curve(
                    (
                        (source.middle, start),
                        (source.middle + bulge, start + reach),
                        (target.middle + bulge, end - reach),
                        (target.middle, end),
                    )
                )
