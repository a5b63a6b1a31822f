"""Every pixel format gives the picture that was packed into it."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edge.cameras.pixel_formats import FAMILIES, PIXEL_FORMATS, to_image
from edge.errors import FrameError
from tests.edge.cameras.images import picture

HEIGHT, WIDTH = 24, 40


def bits_of(samples: np.ndarray, bits: int) -> np.ndarray:
    """Each sample's bits, the least significant first: uint8 (H, W * bits)."""
    return (samples[..., None] >> np.arange(bits) & 1).astype(np.uint8).reshape(samples.shape[0], -1)


def pack(samples: np.ndarray, layout: str) -> np.ndarray:
    """Samples, uint16 (H, W), laid out bit by bit after the standard: the reference for the fast code."""
    if layout == "8":
        return samples.astype(np.uint8)
    if layout in ("10", "12", "14", "16"):
        return samples.astype("<u2").view(np.uint8)
    bits = int(layout.rstrip("Packedp"))
    if layout.endswith("p"):
        return np.packbits(bits_of(samples, bits), axis=1, bitorder="little")
    low = bits - 8  # the Packed formats: upper byte, both low parts in one byte, upper byte
    even, odd = samples[:, 0::2], samples[:, 1::2]
    middle = even & ((1 << low) - 1) | (odd & ((1 << low) - 1)) << 4
    return np.stack([even >> low, middle, odd >> low], -1).astype(np.uint8).reshape(samples.shape[0], -1)


def depth_of(layout: str) -> int:
    return int(layout.rstrip("Packedp"))


def convert(name: str, packed: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return to_image(np.ascontiguousarray(packed).reshape(-1), PIXEL_FORMATS[name].code, width, height)


@pytest.mark.parametrize("name", [name for name in PIXEL_FORMATS if name.startswith("Mono")])
def test_mono_gives_the_upper_eight_bits_of_every_sample(name: str) -> None:
    layout = name.removeprefix("Mono")
    depth = depth_of(layout)
    samples = np.random.default_rng(1).integers(0, 1 << depth, (HEIGHT, WIDTH), dtype=np.uint16)
    packed = pack(samples, layout)
    assert packed.size * 8 == samples.size * PIXEL_FORMATS[name].bits_per_pixel
    np.testing.assert_array_equal(convert(name, packed), samples >> (depth - 8))


@pytest.mark.parametrize("name", [name for name in PIXEL_FORMATS if name.startswith("Bayer")])
def test_bayer_gives_the_colours_that_the_filters_let_through(name: str) -> None:
    """Each half of the picture is one plain colour; away from the border it must come back exactly."""
    phase, layout = name[5:7], name[7:]
    depth = depth_of(layout)
    colours = {"R": (200, 40), "G": (90, 160), "B": (20, 240)}  # left half, right half
    second = {"R": "GB", "B": "GR"}.get(phase[0]) or {"R": "BG", "B": "RG"}[phase[1]]
    samples = np.zeros((HEIGHT, WIDTH), np.uint16)
    for (row, column), letter in np.ndenumerate(np.array([list(phase), list(second)])):
        left, right = colours[letter]
        samples[row::2, column::2] = left
        samples[row::2, column::2][:, WIDTH // 4 :] = right
    image = convert(name, pack(samples << (depth - 8), layout))
    assert image.shape == (HEIGHT, WIDTH, 3)
    for half, region in enumerate((image[4:-4, 4:16], image[4:-4, 24:-4])):
        expected = [colours[letter][half] for letter in "BGR"]
        assert (region == expected).all()


ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "BGR8": lambda bgr: bgr,
    "RGB8": lambda bgr: bgr[:, :, ::-1],
    "BGRa8": lambda bgr: np.dstack([bgr, bgr[:, :, 0]]),
    "RGBa8": lambda bgr: np.dstack([bgr[:, :, ::-1], bgr[:, :, 0]]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_colour_becomes_bgr(name: str) -> None:
    bgr = picture(3, HEIGHT, WIDTH)
    image = convert(name, ORDERS[name](bgr))
    np.testing.assert_array_equal(image, bgr)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("name", ["YUV422_8", "YUV422_8_UYVY"])
@pytest.mark.parametrize(
    "bgr", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 40, 200)]
)
def test_yuv_is_full_range(name: str, bgr: tuple[int, int, int]) -> None:
    blue, green, red = bgr
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = 128 + 0.564 * (blue - luma), 128 + 0.713 * (red - luma)
    y, u, v = (int(np.clip(round(value), 0, 255)) for value in (luma, u, v))
    quad = [y, u, y, v] if name == "YUV422_8" else [u, y, v, y]
    image = convert(name, np.tile(np.array(quad, np.uint8), (HEIGHT, WIDTH // 2)))
    assert np.abs(image.astype(int) - bgr).max() <= 3


def test_yuv_keeps_every_pixels_own_brightness() -> None:
    luma = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    packed = np.dstack([luma, np.full_like(luma, 128)])
    image = convert("YUV422_8", packed)
    np.testing.assert_array_equal(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), luma)


def test_row_padding_is_left_out() -> None:
    grey = picture(4, HEIGHT, WIDTH)[:, :, 0]
    padded = np.pad(grey, ((0, 0), (0, 6)))
    image = to_image(padded.reshape(-1), PIXEL_FORMATS["Mono8"].code, WIDTH, HEIGHT, padding=6)
    np.testing.assert_array_equal(image, grey)


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_the_picture_never_shares_the_camera_s_memory(name: str) -> None:
    data = np.zeros(WIDTH * HEIGHT * PIXEL_FORMATS[name].bits_per_pixel // 8, np.uint8)
    image = to_image(data, PIXEL_FORMATS[name].code, WIDTH, HEIGHT)
    before = image.copy()
    data[:] = 255
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_a_payload_that_is_too_short_is_refused(name: str) -> None:
    data = np.zeros(WIDTH * HEIGHT * PIXEL_FORMATS[name].bits_per_pixel // 8 - 1, np.uint8)
    with pytest.raises(FrameError, match="incomplete"):
        to_image(data, PIXEL_FORMATS[name].code, WIDTH, HEIGHT)


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(FrameError, match="0x02180021") as caught:
        to_image(np.zeros(100, np.uint8), 0x02180021, 4, 4)
    assert "Mono8" in caught.value.remedy


def test_the_short_list_names_formats_that_exist() -> None:
    named = re.findall(r"\b(?:Mono|Bayer|RGB|BGR|YUV)\w+", FAMILIES)
    assert len(named) > 10
    assert set(named) <= set(PIXEL_FORMATS)


def test_a_row_that_ends_inside_a_byte_is_refused() -> None:
    with pytest.raises(FrameError, match="whole byte"):
        convert("Mono12p", np.zeros(1000, np.uint8), width=17, height=4)
