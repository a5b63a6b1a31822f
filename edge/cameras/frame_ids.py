"""A camera's frame count: which frame this is, and how many before it never arrived."""

from __future__ import annotations

WRAP = 65535  # GigE Vision counts 1 to 65535 and starts again at 1; 0 is never sent


class FrameIds:
    """Follows one camera's frame ids, 16-bit ones that wrap and 64-bit ones that do not."""

    def __init__(self) -> None:
        self._last: int | None = None

    def follow(self, frame_id: int, complete: bool) -> tuple[int, int]:
        """The id of the frame that arrived, and the number of frames missing before it.

        A frame whose first packet was lost shows what its buffer held before: an older id, or 0.
        Frames arrive in order, so it is the one after the last. A *complete* frame whose id goes
        back, or leaps by half the range, says that the camera has started its count anew: nothing
        is known to be missing then.
        """
        last = self._last
        if last is None or (frame_id == 0 and not complete):
            step = 0
        else:
            step = frame_id - last
            if step < 0 and last <= WRAP:
                step += WRAP
        forward = 1 <= step <= WRAP // 2
        if last is not None and not forward and not complete:
            frame_id = 1 if last == WRAP else last + 1
        if frame_id:
            self._last = frame_id
        return frame_id, step - 1 if forward else 0
