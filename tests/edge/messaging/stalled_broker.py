"""A broker that accepts, answers pings and subscriptions, hands messages on, and acknowledges nothing.

As small as MQTT 5 and 3.1.1 allow: only what a station sends is understood.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14


@dataclass
class Seen:
    """What came in.

    Attributes:
        published: topic and payload of every message, in order.
        connections: times at which a client was accepted, on the monotonic clock.
        pings: answered.
    """

    published: list[tuple[str, bytes]] = field(default_factory=list)
    connections: list[float] = field(default_factory=list)
    pings: int = 0

    def of(self, name: str) -> list[bytes]:
        """The payloads of one topic, by its last level."""
        return [payload for topic, payload in self.published if topic.endswith(f"/{name}")]


class StalledBroker:
    """Listens on the loopback; a context manager.

    Attributes:
        acknowledges: how many messages it still acknowledges.
    """

    def __init__(self, acknowledges: int = 0) -> None:
        self.acknowledges = acknowledges
        self.seen = Seen()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self._ended = False

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def __enter__(self) -> StalledBroker:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def send(self, topic: str, payload: bytes) -> None:
        """Give the station a message, QoS 0; MQTT 3.1.1."""
        assert self._connection is not None
        body = _text(topic) + payload
        self._connection.sendall(bytes([PUBLISH << 4]) + _length(len(body)) + body)

    def _serve(self) -> None:
        while not self._ended:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connection = connection
            with connection, connection.makefile("rb") as stream:
                try:
                    while self._answer(connection, stream):
                        pass
                except (OSError, struct.error, IndexError):
                    pass

    def _answer(self, connection: socket.socket, stream: BinaryIO) -> bool:
        head = stream.read(1)
        if not head:
            return False
        kind, flags = head[0] >> 4, head[0] & 15
        body = stream.read(_read_length(stream))
        if kind == CONNECT:
            self.seen.connections.append(time.monotonic())
            self._version = body[6]
            connection.sendall(b"\x20\x03\x00\x00\x00" if self._version == 5 else b"\x20\x02\x00\x00")
        elif kind == SUBSCRIBE:
            topics = 2  # commands and the station's own state
            tail = (b"\x00" if self._version == 5 else b"") + bytes([1] * topics)
            connection.sendall(b"\x90" + _length(2 + len(tail)) + body[:2] + tail)
        elif kind == PINGREQ:
            self.seen.pings += 1
            connection.sendall(b"\xd0\x00")
        elif kind == PUBLISH:
            self._take(connection, flags, body)
        return kind != DISCONNECT

    def _take(self, connection: socket.socket, flags: int, body: bytes) -> None:
        (size,) = struct.unpack(">H", body[:2])
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        mid = b""
        if flags & 6:
            mid, rest = rest[:2], rest[2:]
        if self._version == 5:
            rest = rest[1 + rest[0] :]
        self.seen.published.append((topic, rest))
        if mid and self.acknowledges > 0:
            self.acknowledges -= 1
            connection.sendall(b"\x40\x02" + mid)


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _length(size: int) -> bytes:
    out = b""
    while True:
        size, digit = divmod(size, 128)
        out += bytes([digit | 128 if size else digit])
        if not size:
            return out


def _read_length(stream: BinaryIO) -> int:
    size, shift = 0, 0
    while True:
        digit = stream.read(1)[0]
        size |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return size
