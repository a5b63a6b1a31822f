"""An image file is read exactly, or refused with what, where and what to do."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cameras import decode_image, read_image
from edge.errors import FrameError
from edge.image_size import MIN_SIDE_PX
from edge.image_types import check_image
from tests.edge.cameras.images import (
    HEIGHT,
    WIDTH,
    cmyk_jpeg_red,
    encoded,
    jpeg_with_exif,
    picture,
    png_chunk,
    save,
    tiff,
)

GREY = cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY)
RGB = np.ascontiguousarray(picture()[:, :, ::-1])
DEEP = GREY.astype(np.uint16) * 257  # 16-bit samples whose upper byte is the grey value


def refusal(data: bytes) -> str:
    """The error that decoding these bytes gives, checked for place and remedy."""
    with pytest.raises(FrameError) as caught:
        decode_image(data, "line1/part7.png")
    assert "line1/part7.png" in caught.value.message
    assert caught.value.remedy
    return str(caught.value)


LOSSLESS = {
    "png": (encoded(".png"), picture()),
    "png grey": (encoded(".png", GREY), GREY),
    "png 16 bit grey": (encoded(".png", DEEP), GREY),
    "png with alpha": (encoded(".png", np.dstack([picture(), GREY])), picture()),
    "bmp": (encoded(".bmp"), picture()),
    "bmp grey": (encoded(".bmp", GREY), GREY),
    "tiff, LZW by OpenCV": (encoded(".tif"), picture()),
    "tiff deflate": (encoded(".tif", None, cv2.IMWRITE_TIFF_COMPRESSION, 8), picture()),
    "tiff grey": (tiff(GREY), GREY),
    "tiff 16 bit grey": (tiff(DEEP), GREY),
    "tiff 16 bit grey, big-endian": (tiff(DEEP, order=">"), GREY),
    "tiff 16 bit colour": (encoded(".tif", picture().astype(np.uint16) * 257), picture()),
    "tiff 16 bit grey deflate": (tiff(DEEP, deflate=True), GREY),
    "BigTIFF": (tiff(DEEP, big=True), GREY),
    "webp lossless": (encoded(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 101), picture()),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_arrive_to_the_bit(name: str) -> None:
    data, expected = LOSSLESS[name]
    image = decode_image(data, name)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (encoded(".jpg"), (HEIGHT, WIDTH, 3)),
        (encoded(".jpg", GREY), (HEIGHT, WIDTH)),
        (encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (HEIGHT, WIDTH, 3)),
        (encoded(".jpg", None, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), (HEIGHT, WIDTH, 3)),
        (encoded(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 95), (HEIGHT, WIDTH, 3)),
    ],
    ids=["jpeg", "grey", "progressive", "restart markers", "lossy webp"],
)
def test_lossy_formats_arrive_close(data: bytes, shape: tuple[int, ...]) -> None:
    image = decode_image(data, "x")
    assert image.shape == shape
    expected = picture() if len(shape) == 3 else GREY
    assert np.abs(image.astype(int) - expected).mean() < 12


def test_16_bit_samples_become_8_bit_by_their_upper_byte_whatever_the_image_shows() -> None:
    values = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(decode_image(tiff(values), "x"), values >> 8)
    half = values // 2
    np.testing.assert_array_equal(decode_image(tiff(half), "x"), half >> 8)  # not stretched


def test_12_bits_stored_low_in_16_are_refused_instead_of_read_as_black() -> None:
    assert "end at 4080 of 65535" in refusal(tiff(GREY.astype(np.uint16) * 16 % 4081 | 4080))


def test_exif_orientation_is_ignored() -> None:
    np.testing.assert_array_equal(
        decode_image(jpeg_with_exif(orientation=6), "x"), decode_image(encoded(".jpg"), "x")
    )


def test_cmyk_becomes_bgr() -> None:
    blue, green, red = decode_image(cmyk_jpeg_red(), "x").reshape(-1, 3).mean(0)
    assert red > 240
    assert blue < 15
    assert green < 15


def test_bytes_after_the_end_do_no_harm() -> None:
    data = encoded(".jpg")
    np.testing.assert_array_equal(decode_image(data + b"maker's notes", "x"), decode_image(data, "x"))


WHOLE = {
    "jpeg": encoded(".jpg"),
    "progressive jpeg": encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "jpeg with a whole thumbnail": jpeg_with_exif(1, encoded(".jpg", picture()[:16, :16])),
    "png": encoded(".png"),
    "bmp": encoded(".bmp"),
    "tiff": encoded(".tif"),
    "tiff 16 bit": tiff(DEEP),
    "BigTIFF": tiff(DEEP, big=True),
    "webp": encoded(".webp"),
    "webp lossless": encoded(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 101),
}


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_no_truncated_file_is_ever_read(name: str, share: float) -> None:
    data = WHOLE[name]
    refusal(data[: int(share * len(data))])


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_without_its_last_byte_is_refused(name: str) -> None:
    refusal(WHOLE[name][:-1])


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "png", "webp", "webp lossless"])
def test_a_file_whose_second_half_is_zeros_is_refused(name: str) -> None:
    """What a copy leaves behind that reserved the space first and was cut off."""
    data = WHOLE[name]
    half = len(data) // 2
    refusal(data[:half] + bytes(len(data) - half))


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_png_with_a_flipped_bit_is_refused(share: float, bit: int) -> None:
    data = bytearray(encoded(".png"))
    data[int(share * len(data))] ^= 1 << bit
    refusal(bytes(data))


def test_a_tiff_whose_tags_hold_nothing_is_refused() -> None:
    data = bytearray(tiff(DEEP))
    bits_per_sample = data.rindex(struct.pack("<HH", 258, 4))
    data[bits_per_sample + 4 : bits_per_sample + 8] = bytes(4)  # no value where one belongs
    refusal(bytes(data))


def test_a_tiff_with_a_flipped_bit_in_compressed_pixels_is_refused() -> None:
    data = bytearray(tiff(DEEP, deflate=True))
    data[100] ^= 1
    assert "damaged" in refusal(bytes(data))


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0+", b"RIFF....WEBP"]
    ),
    rest=st.binary(max_size=200),
)
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(start: bytes, rest: bytes) -> None:
    refusal(start + rest)


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5
    )
)
def test_a_damaged_file_is_a_picture_or_a_refusal_and_nothing_else(
    name: str, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(WHOLE[name])
    for share, value in changes:
        data[int(share * len(data))] = value
    try:
        image = decode_image(bytes(data), "x")
    except FrameError as error:
        assert error.remedy
    else:
        assert image.dtype == np.uint8


def test_an_empty_file_says_so() -> None:
    assert "empty (0 bytes)" in refusal(b"")


def test_what_is_no_image_says_so() -> None:
    assert "not a JPEG, PNG, BMP, TIFF or WebP" in refusal(b"part;verdict\n1;ok\n")


@pytest.mark.parametrize("side", [1, MIN_SIDE_PX - 1])
def test_an_image_too_small_says_how_large_it_must_be(side: int) -> None:
    message = refusal(encoded(".png", np.zeros((side, 200), np.uint8)))
    assert f"200x{side} px is too small" in message
    assert f"at least {MIN_SIDE_PX} px" in message


def test_the_smallest_image_is_read() -> None:
    smallest = np.zeros((MIN_SIDE_PX, MIN_SIDE_PX), np.uint8)
    image = decode_image(encoded(".png", smallest), "x")
    assert image.shape == smallest.shape
    check_image(image)  # what can be read can be inspected


def test_40_megapixels_are_read() -> None:
    large = np.full((5000, 8000), 7, np.uint8)
    assert decode_image(encoded(".png", large, cv2.IMWRITE_PNG_COMPRESSION, 1), "x").shape == (5000, 8000)


def test_more_than_100_megapixels_are_refused_before_any_memory_is_taken() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IEND", b"")
    assert "60000x60000 px is more than 100 megapixels" in refusal(bomb)


@pytest.mark.parametrize(
    ("samples", "sample_format"),
    [(GREY.astype(np.float32), 3), (GREY.astype(np.int16), 2), (GREY.astype(np.uint32), 1)],
    ids=["float", "signed", "32 bit"],
)
def test_samples_that_no_camera_makes_are_refused(samples: np.ndarray, sample_format: int) -> None:
    assert "8 or 16 bits per sample" in refusal(tiff(samples, sample_format=sample_format))


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really.jpg"
    path.write_bytes(encoded(".png"))
    np.testing.assert_array_equal(read_image(path), picture())


@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "dangling link", "forbidden"])
def test_what_cannot_be_read_is_named_with_a_remedy(tmp_path: Path, what: str) -> None:
    path = tmp_path / "part.png"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "dangling link":
        path.symlink_to(tmp_path / "gone.png")
    elif what == "forbidden":
        save(path).chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
    with pytest.raises(FrameError) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy
