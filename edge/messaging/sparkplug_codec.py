"""Sparkplug B payloads: the part of the Tahu protobuf that a station writes and reads.

Field numbers and data types are those of the Eclipse Sparkplug 3.0 specification,
``sparkplug_b.proto`` (chapter 6.4). Protobuf itself is a few lines: a key ``number << 3 | type``,
then a varint, eight or four bytes, or a length and that many bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from edge.errors import MessagingError

Value = bool | int | float | str | None

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


class DataType(IntEnum):
    """Sparkplug's types, those that stations use and commands may bring."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14


# Data type → the number of the metric's field that carries the value.
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING = 10, 11, 12, 13, 14, 15
_VALUE_FIELD = {
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), _INT),
    **dict.fromkeys((DataType.UINT8, DataType.UINT16, DataType.UINT32), _INT),
    **dict.fromkeys((DataType.INT64, DataType.UINT64, DataType.DATETIME), _LONG),
    **dict.fromkeys((DataType.STRING, DataType.TEXT), _STRING),
    DataType.FLOAT: _FLOAT,
    DataType.DOUBLE: _DOUBLE,
    DataType.BOOLEAN: _BOOLEAN,
}
_SIGNED_BITS = {DataType.INT8: 32, DataType.INT16: 32, DataType.INT32: 32, DataType.INT64: 64}


@dataclass(frozen=True)
class Metric:
    """One named value. ``value`` None is Sparkplug's *null*."""

    name: str
    type: DataType
    value: Value
    timestamp_ms: int = 0


@dataclass(frozen=True)
class Payload:
    """A Sparkplug message. ``seq`` None: a death or a command, which have none."""

    timestamp_ms: int
    metrics: tuple[Metric, ...]
    seq: int | None = None


def encode(payload: Payload) -> bytes:
    """The payload as protobuf."""
    out = bytearray()
    _put_varint(out, 1, payload.timestamp_ms)
    for metric in payload.metrics:
        _put_bytes(out, 2, _encode_metric(metric))
    if payload.seq is not None:
        _put_varint(out, 3, payload.seq)
    return bytes(out)


def _encode_metric(metric: Metric) -> bytes:
    out = bytearray()
    _put_bytes(out, 1, metric.name.encode())
    if metric.timestamp_ms:
        _put_varint(out, 3, metric.timestamp_ms)
    _put_varint(out, 4, metric.type)
    number, value = _VALUE_FIELD[metric.type], metric.value
    if value is None:
        _put_varint(out, 7, 1)
    elif isinstance(value, str):
        _put_bytes(out, number, value.encode())
    elif number == _DOUBLE:
        out += _key(number, _EIGHT_BYTES) + struct.pack("<d", value)
    elif number == _FLOAT:
        out += _key(number, _FOUR_BYTES) + struct.pack("<f", value)
    else:
        # Negative numbers travel as two's complement in the unsigned field.
        _put_varint(out, number, int(value) & ((1 << _SIGNED_BITS.get(metric.type, 64)) - 1))
    return bytes(out)


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _put_varint(out: bytearray, number: int, value: int) -> None:
    out += _key(number, _VARINT) + _varint(value)


def _put_bytes(out: bytearray, number: int, value: bytes) -> None:
    out += _key(number, _LENGTH) + _varint(len(value)) + value


def decode(raw: bytes) -> Payload:
    """The inverse of :func:`encode`. Fields and types that are not known here are left out.

    Raises:
        MessagingError: it is no Sparkplug payload.
    """
    timestamp_ms, seq, metrics = 0, None, []
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, int):
            timestamp_ms = value
        elif number == 2 and isinstance(value, bytes):
            metric = _decode_metric(value)
            if metric is not None:
                metrics.append(metric)
        elif number == 3 and isinstance(value, int):
            seq = value
    return Payload(timestamp_ms, tuple(metrics), seq)


def _decode_metric(raw: bytes) -> Metric | None:
    fields = dict(_fields(raw))
    name, kind, timestamp_ms = fields.get(1, b""), fields.get(4, 0), fields.get(3, 0)
    if not isinstance(name, bytes) or kind not in _VALUE_FIELD or not isinstance(timestamp_ms, int):
        return None
    data_type = DataType(kind)
    value = None if fields.get(7) else _decode_value(data_type, fields.get(_VALUE_FIELD[data_type]))
    return Metric(_text(name), data_type, value, timestamp_ms)


def _decode_value(data_type: DataType, value: int | bytes | None) -> Value:
    if isinstance(value, bytes):
        if data_type is DataType.DOUBLE and len(value) == 8:
            return float(struct.unpack("<d", value)[0])
        if data_type is DataType.FLOAT and len(value) == 4:
            return float(struct.unpack("<f", value)[0])
        return _text(value) if _VALUE_FIELD[data_type] == _STRING else None
    if value is None or _VALUE_FIELD[data_type] not in (_INT, _LONG, _BOOLEAN):
        return None
    if data_type is DataType.BOOLEAN:
        return bool(value)
    bits = _SIGNED_BITS.get(data_type, 0)
    value &= (1 << (bits or 64)) - 1
    return value - (1 << bits) if bits and value >> (bits - 1) else value


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MessagingError("A Sparkplug text is not UTF-8.") from None


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field's number, and its value: an int for varints, else its bytes."""
    position = 0
    while position < len(raw):
        key, position = _read_varint(raw, position)
        wire_type = key & 7
        if wire_type == _VARINT:
            value, position = _read_varint(raw, position)
            yield key >> 3, value
            continue
        if wire_type == _LENGTH:
            size, position = _read_varint(raw, position)
        elif wire_type in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if wire_type == _EIGHT_BYTES else 4
        else:
            raise MessagingError(f"A Sparkplug payload has a field of the unknown type {wire_type}.")
        if position + size > len(raw):
            raise MessagingError("A Sparkplug payload ends in the middle of a field.")
        yield key >> 3, raw[position : position + size]
        position += size


def _read_varint(raw: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(raw):
            raise MessagingError("A Sparkplug payload ends in the middle of a number.")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise MessagingError("A Sparkplug payload has a number of more than ten bytes.")
