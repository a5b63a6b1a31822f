"""Payloads for people: any message on the broker as one line of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from edge.errors import MessagingError
from edge.messaging.codes import AlarmCode
from edge.messaging.payloads import clean
from edge.messaging.sparkplug_codec import decode

_MAX_CHARS = 400
_SPARKPLUG = "spBv1.0/"

Fields = Mapping[str, Any]


def fields_of(payload: bytes) -> Fields | None:
    """The payload's fields; None where it is no JSON object."""
    try:
        fields = json.loads(payload.decode())
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def readable(topic: str, payload: bytes) -> str:
    """What a message says, on one line; of what is not known here, its text or its size."""
    if topic.startswith(_SPARKPLUG):
        return _shown(_sparkplug(payload))
    fields = fields_of(payload)
    if fields is None:
        return _shown(_text(payload))
    name = topic.rsplit("/", 1)[-1]
    say = _SENTENCES.get(name) if topic.count("/") == 3 or name == "reply" else None
    try:
        return _shown(_plain(fields) if say is None else say(fields))
    except (KeyError, TypeError, ValueError):  # another program's message under our topic
        return _shown(_plain(fields))


def _shown(text: str) -> str:
    text = clean(text).strip() or "(empty)"
    return text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS] + "…"


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return f"({len(payload)} bytes that are no text)"


def _plain(fields: Fields) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part not in ("", None))


def _state(f: Fields) -> str:
    return _joined(str(f["state"]).upper(), f["product"], f["bundle"], f["text"], f"birth {f['birth']}")


def _result(f: Fields) -> str:
    score = "" if f["code"] == 3 else f"score {f['score']:.2f}"
    review = "look at it" if f["review"] else ""
    ms = "" if f["ms"] == -1 else f"{f['ms']:.0f} ms"
    verdict = str(f["verdict"]).upper()
    return _joined(
        verdict, f["part_id"], f["product"], score, f["location"], f["error"], f["words"], review, ms
    )


def _event(f: Fields) -> str:
    return _joined(f["event"], f["product"], f["part_id"], f["text"])


def _alarm(f: Fields) -> str:
    active = [code.name.lower() for code in AlarmCode if f["mask"] >> (code - 1) & 1]
    state = "active" if f["active"] else "over"
    acked = "acknowledged" if f["acked"] else "not acknowledged"
    standing = f"standing: {', '.join(active)}" if active else "none stands"
    return _joined(f"{f['alarm']} {state}, {acked}", f["text"], standing)


def _heartbeat(f: Fields) -> str:
    parts = f"{f['total']} parts: {f['ok']} ok, {f['ng']} ng, {f['error']} errors"
    return _joined(f"beat {f['count']}", parts, f"{f['waiting']} waiting" if f["waiting"] else "")


def _handshake(f: Fields) -> str:
    signals = " ".join(name.upper() for name in ("ready", "busy", "valid") if f[name]) or "not ready"
    code = f"code {f['code']}" if f["valid"] else ""
    return _joined(signals, code, f"acquisition {f['acquisition']}", f"{f['missed']} missed", f["part_id"])


def _reply(f: Fields) -> str:
    return _joined(f"{f['cmd']} {f['id']}: {f['reply']}", f["text"])


_SENTENCES: Mapping[str, Callable[[Fields], str]] = {
    "state": _state,
    "result": _result,
    "event": _event,
    "alarm": _alarm,
    "heartbeat": _heartbeat,
    "handshake": _handshake,
    "reply": _reply,
}


def _sparkplug(payload: bytes) -> str:
    try:
        message = decode(payload)
    except MessagingError:
        return _text(payload)
    metrics = " ".join(f"{metric.name}={metric.value}" for metric in message.metrics)
    return metrics if message.seq is None else f"seq {message.seq}: {metrics}"
