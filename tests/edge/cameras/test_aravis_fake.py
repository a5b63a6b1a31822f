"""The simulated camera shows given pictures, which arrive through the whole protocol as they are."""

from __future__ import annotations

from itertools import chain, repeat

import cv2
import numpy as np
import pytest

from edge.cameras.aravis_fake import FakeGigECamera
from edge.errors import CameraError
from tests.edge.cameras.gige_reading import camera_with, take
from tests.edge.parts import good_part, stained_part

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("network")]

LOOPBACK = "127.0.0.1"
PICTURES = [good_part(1), stained_part(), good_part(2)]


@pytest.mark.parametrize("pixel_format", ["RGB8", "Mono8"])
def test_each_software_trigger_brings_the_next_picture_to_the_bit(pixel_format: str) -> None:
    height, width = PICTURES[0].shape[:2]
    shown = chain(PICTURES, repeat(PICTURES[-1]))
    settings = {
        "device": LOOPBACK,
        "pixel_format": pixel_format,
        "region": {"width": width, "height": height},
        "trigger": {"source": "software", "window_s": 5},
    }
    with FakeGigECamera(LOOPBACK, "DEMO", lambda: next(shown)), camera_with(**settings) as camera:
        for number, picture in enumerate(PICTURES):
            camera.trigger(f"part-{number}")
            frame = take(camera, 1)[0]
            assert (frame.part_id, frame.error) == (f"part-{number}", "")
            assert frame.image is not None
            if pixel_format == "RGB8":
                np.testing.assert_array_equal(frame.image, picture)
            else:
                np.testing.assert_array_equal(frame.image, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def test_an_address_that_is_taken_says_so() -> None:
    with (
        FakeGigECamera(LOOPBACK, "ONE", lambda: PICTURES[0]),
        pytest.raises(CameraError, match="UDP port 3956: Address already in use"),
    ):
        FakeGigECamera(LOOPBACK, "TWO", lambda: PICTURES[0])
    with pytest.raises(CameraError, match="UDP port 3956: Cannot assign"):
        FakeGigECamera("192.0.2.1", "FAR", lambda: PICTURES[0])
