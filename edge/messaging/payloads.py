"""Payloads: flat JSON under 512 bytes, always, whatever a product is called or a model says.

Small PLC clients copy a payload into a fixed buffer and look for keys in it. So every message is
one flat object with the same keys in the same order, numbers are numbers (``-1`` where there is
none), and texts are cut at a character's border with an ellipsis until the whole fits. The JSON
Schemas beside this file say the same for programs.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from edge.errors import MessagingError
from edge.inspection import Inspection, utc_timestamp
from edge.messaging.alarms import AlarmChange
from edge.messaging.codes import EventCode, ReplyCode, StationState

#: No payload is longer, in bytes of UTF-8.
MAX_BYTES = 511
ELLIPSIS = "…"

#: What a number field carries when there is no number.
NO_VALUE = -1

#: Texts that give way when a payload is too long, the first ones first, each down to this many bytes.
_SHRINK_ORDER = (
    ("words", 0),
    ("text", 40),
    ("error", 40),
    ("bundle", 24),
    ("engine", 24),
    ("part_id", 40),
    ("product", 40),
)
_SHRINK_TO_NOTHING = ("text", "error", "bundle", "engine", "location", "camera", "part_id", "product")

#: Seconds and numbers beyond these are no measurement; they would only fill the buffer.
_MAX_MAGNITUDE = 1e9
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")
_NAME_BYTES = 64


def shorten(text: str, max_bytes: int) -> str:
    """``text`` in at most ``max_bytes`` bytes of JSON text, cut at a character, ending in an ellipsis."""
    if _size(text) <= max_bytes:
        return text
    room = max_bytes - len(ELLIPSIS.encode())
    if room < 0:
        return ""
    fitting = bisect_right(range(len(text)), room, key=lambda length: _size(text[:length])) - 1
    return text[:fitting].rstrip() + ELLIPSIS


def _size(text: str) -> int:
    """Bytes of ``text`` inside a JSON string, escapes included."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def clean(text: str) -> str:
    """``text`` on one line, without control characters or halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().translate(_CONTROLS)


def encode(fields: Mapping[str, Any]) -> bytes:
    """One payload: the fields in their order, texts cleaned and shortened until all fits.

    Raises:
        MessagingError: the fields do not fit even without their texts.
    """
    flat = {name: _plain(value) for name, value in fields.items()}
    raw = _dump(flat)
    steps = [*_SHRINK_ORDER, *((name, 0) for name in _SHRINK_TO_NOTHING)]
    for name, keep in steps:
        excess = len(raw) - MAX_BYTES
        if excess <= 0:
            break
        value = flat.get(name)
        if isinstance(value, str) and _size(value) > keep:
            flat[name] = shorten(value, max(keep, _size(value) - excess))
            raw = _dump(flat)
    if len(raw) > MAX_BYTES:
        raise MessagingError(
            f"A payload with the keys {', '.join(flat)} does not fit into {MAX_BYTES} bytes."
        )
    return raw


def _dump(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> str | int | float:
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return NO_VALUE
    if isinstance(value, int):  # bool and IntEnum too: a PLC reads 0 and 1
        return int(value)
    number = float(value)
    return round(number, 6) if math.isfinite(number) and abs(number) <= _MAX_MAGNITUDE else NO_VALUE


def result(inspection: Inspection) -> dict[str, Any]:
    """The fields of one inspection's ``result``; boxes are those of the highest peak, in pixels."""
    top = inspection.regions[0] if inspection.regions else None
    return {
        "seq": inspection.seq,
        "code": inspection.code,
        "verdict": inspection.verdict.value,
        "review": inspection.review,
        "id": shorten(clean(inspection.id), 32),
        "part_id": shorten(clean(inspection.part_id), _NAME_BYTES),
        "product": shorten(clean(inspection.product), _NAME_BYTES),
        "camera": shorten(clean(inspection.camera), 32),
        "view": shorten(clean(inspection.view), 32),
        "views": _codes(inspection),
        "p_anomaly": inspection.p_anomaly,
        "score": inspection.score,
        "p_value": inspection.p_value,
        "location": shorten(clean(inspection.location), _NAME_BYTES),
        "regions": len(inspection.regions),
        "x": top.x if top else NO_VALUE,
        "y": top.y if top else NO_VALUE,
        "w": top.width if top else NO_VALUE,
        "h": top.height if top else NO_VALUE,
        "error": inspection.error,
        "words": inspection.words,
        "ms": round(inspection.latency_ms["total"], 1) if "total" in inspection.latency_ms else NO_VALUE,
        "ts": shorten(clean(inspection.captured_at), 32),
    }


def _codes(inspection: Inspection) -> str:
    """The code of each view by its name: ``main=1 side=2``; empty where the product has but one."""
    codes = " ".join(f"{each.view}={each.verdict.code}" for each in inspection.views)
    return shorten(clean(codes), _NAME_BYTES)


def state(
    state: StationState,
    birth: int,
    *,
    product: str,
    bundle: str,
    text: str,
    decided_by: str = "",
    engine: str = "",
) -> bytes:
    """The retained ``state``; the last will is the same with ``offline``.

    ``birth`` counts the station's connections: of two states, the one with the lower is old.
    """
    return encode(
        {
            "birth": birth,
            "code": state,
            "state": state.name.lower(),
            "product": product,
            "bundle": bundle,
            "decided_by": decided_by,
            "engine": shorten(clean(engine), _NAME_BYTES),
            "text": text,
            "ts": utc_timestamp(),
        }
    )


def event(
    code: EventCode, text: str, *, product: str, part_id: str, result_seq: int | None = None
) -> dict[str, Any]:
    """The fields of an ``event``; the outbox adds ``seq``.

    ``result_seq`` is the number of the ``result`` that it concerns.
    """
    return {
        "code": code,
        "event": code.name.lower(),
        "product": product,
        "part_id": part_id,
        "result_seq": result_seq,
        "text": text,
        "ts": utc_timestamp(),
    }


def alarm(change: AlarmChange) -> dict[str, Any]:
    """The fields of an ``alarm``; the outbox adds ``seq``."""
    return {
        "code": change.code,
        "alarm": change.code.name.lower(),
        "active": change.active,
        "acked": change.acked,
        "mask": change.mask,
        "unacked": change.unacked,
        "text": change.text,
        "ts": utc_timestamp(),
    }


def heartbeat(count: int, state: StationState, counts: Mapping[str, int], waiting: int) -> bytes:
    """The live ``heartbeat`` with the counters since the start of the station."""
    return encode(
        {
            "count": count,
            "code": state,
            "total": counts["total"],
            "ok": counts["ok"],
            "ng": counts["ng"],
            "error": counts["error"],
            "waiting": waiting,
            "ts": utc_timestamp(),
        }
    )


def handshake(signals: Mapping[str, Any]) -> bytes:
    """The retained ``handshake`` with the signals of :class:`edge.messaging.handshake.HandshakeState`."""
    return encode(
        {**signals, "part_id": shorten(clean(signals["part_id"]), _NAME_BYTES), "ts": utc_timestamp()}
    )


def reply(command_id: str, command: str, code: ReplyCode, text: str) -> bytes:
    """The answer on ``cmd/reply`` to the command with this id."""
    return encode(
        {
            "id": shorten(clean(command_id), _NAME_BYTES),
            "cmd": shorten(clean(command), _NAME_BYTES),
            "code": code,
            "reply": code.name.lower(),
            "text": text,
            "ts": utc_timestamp(),
        }
    )


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a payload, by the file's name under ``schemas/``: ``result``, ``cmd`` …"""
    text = (resources.files("edge.messaging") / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
