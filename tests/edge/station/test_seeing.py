"""Which camera sees which view: as it is told, by its name, or the main one; anything else is refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from edge.cameras import CameraSettings
from edge.errors import ProductError
from edge.station.seeing import views_by_camera

VIEWS = ["main", "side", "label"]


def camera(name: str, *views: str, kind: str = "folder") -> CameraSettings:
    where = {"folder": {"path": "x"}, "uvc": {}}[kind]
    settings = {"name": name, "kind": kind, "views": views, **where}
    return TypeAdapter[CameraSettings](CameraSettings).validate_python(settings)


def assigned(views: list[str], *cameras: CameraSettings, plc: bool = False) -> dict[str, tuple[str, ...]]:
    return views_by_camera("cup", views, cameras, plc)


def test_an_only_camera_sees_every_view() -> None:
    assert assigned(VIEWS, camera("top")) == {"top": ("main", "side", "label")}


def test_a_camera_sees_the_view_with_its_name_or_else_the_main_one() -> None:
    assert assigned(["main", "side"], camera("top"), camera("side")) == {"top": ("main",), "side": ("side",)}


def test_a_camera_sees_what_it_is_told_to() -> None:
    top, side = camera("top", "main", "label"), camera("other", "side", "of-another-product")
    assert assigned(VIEWS, top, side) == {"top": ("main", "label"), "other": ("side",)}


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        ([camera("top"), camera("side")], "The view label of cup is seen by no camera"),
        ([camera("top"), camera("below")], "The view main of cup is seen by the cameras top and below"),
        ([camera("top", "main", "label"), camera("side"), camera("c", "nothing")], "Camera c sees no view"),
        ([camera("top", "main")], "The view side of cup is seen by no camera"),
    ],
)
def test_a_view_that_is_not_seen_by_one_camera_is_refused(cameras: list[CameraSettings], said: str) -> None:
    with pytest.raises(ProductError, match=said) as caught:
        assigned(VIEWS, *cameras)
    assert "views" in caught.value.remedy


def test_cameras_whose_images_nobody_names_cannot_see_one_part() -> None:
    cameras = camera("top", kind="uvc"), camera("side", kind="uvc")
    with pytest.raises(ProductError, match="nothing tells which images of top"):
        assigned(["main", "side"], *cameras)
    assert assigned(["main", "side"], *cameras, plc=True)
