"""The binding says what is missing, and takes a newer library's unknown answers as what they are."""

from __future__ import annotations

import pytest

from edge.cameras import aravis, aravis_library
from edge.cameras.aravis_library import BufferStatus, DeviceErrorCode
from edge.errors import CameraError


def test_a_machine_without_the_library_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aravis_library, "LIBRARY", "libaravis-not-here.so.0")
    aravis_library.load_library.cache_clear()
    try:
        with pytest.raises(CameraError, match="Aravis") as caught:
            aravis.find_devices()
        assert "apt-get install libaravis-0.8-0" in caught.value.remedy
    finally:
        aravis_library.load_library.cache_clear()


def test_a_reason_that_is_not_known_is_unknown_and_never_success() -> None:
    assert BufferStatus(99) is BufferStatus.UNKNOWN
    assert DeviceErrorCode(99) is DeviceErrorCode.UNKNOWN
