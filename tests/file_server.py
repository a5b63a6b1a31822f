"""A real HTTP server on 127.0.0.1 that serves files with Range, and breaks off where a test wants it to."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Served:
    """One path: its content, or a refusal; what a test changes is done at the next request.

    Attributes:
        content: of the file.
        headers: sent beside the usual ones.
        status: of the answer; other than 200 is a refusal without content.
        cuts: for each coming GET, after how many bytes of the body the connection ends; then none does.
        resets: whether a cut is a reset, as when a machine on the way restarts, and not an orderly end.
        ranges: whether a Range is honoured.
    """

    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    resets: bool = False
    ranges: bool = True


class FileServer:
    """The files by their paths, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []
        self.goes_on = threading.Event()
        """While it is clear, a GET that is to be cut keeps its connection open and sends nothing more."""
        self.goes_on.set()
        handler = type("Handler", (_Handler,), {"files": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def gets(self, path: str) -> list[str | None]:
        """The Range of every GET of a path."""
        return [asked.range for asked in self.asked if asked.method == "GET" and asked.path == path]

    def close(self) -> None:
        self.goes_on.set()
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def file_server() -> Iterator[FileServer]:
    """A server that runs while the block does."""
    server = FileServer()
    try:
        yield server
    finally:
        server.close()


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what a test wanted."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: FileServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.files.asked.append(
            Asked(self.command, self.path, self.headers["Range"], self.headers["Authorization"])
        )
        served = self.files.files.get(self.path, Served(status=404))
        if served.status != 200:
            self._begin(served.status, served, 0)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted and served.ranges else 0
        body = served.content[start:]
        if start:
            end = len(served.content) - 1
            self._begin(
                206, served, len(body), {"Content-Range": f"bytes {start}-{end}/{len(served.content)}"}
            )
        else:
            self._begin(200, served, len(body))
        if self.command == "GET":
            self._send(body, served)

    def _begin(self, status: int, served: Served, size: int, more: dict[str, str] | None = None) -> None:
        etag = hashlib.sha256(served.content).hexdigest()
        headers = {"Content-Length": str(size), "ETag": f'"{etag}"', **(more or {}), **served.headers}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, served: Served) -> None:
        cut = served.cuts.pop(0) if served.cuts else None
        for at in range(0, len(body[:cut]), _BLOCK):
            self.wfile.write(body[:cut][at : at + _BLOCK])
        if cut is None:
            return
        self.files.goes_on.wait(30)
        if served.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""
