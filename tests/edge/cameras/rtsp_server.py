"""A small RTSP server: ffmpeg makes and packs the pictures, this speaks the protocol around them.

RTP over the RTSP connection itself (RFC 2326, section 10.12), which is how the station reads it.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import subprocess
import threading

import pytest

WIDTH, HEIGHT, RATE_HZ = 160, 120, 20


def need_ffmpeg() -> None:
    """Skip the test where there is nothing that makes a stream."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg: apt-get install ffmpeg")


class RtspServer:
    """Streams a moving test picture to one client after the other.

    Args:
        login: ``user:password`` that a client must give, empty for none.
    """

    def __init__(self, login: str = "", port: int = 0) -> None:
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/line"
        self._silent = threading.Event()
        self._stopping = threading.Event()
        self._connections: list[socket.socket] = []
        self._encoders: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Keep the connection and send nothing more."""
        self._silent.set()

    def stop(self) -> None:
        """Power off: every connection breaks."""
        self._stopping.set()
        _break(self._listener)
        for encoder in self._encoders:
            encoder.kill()
            encoder.wait()
        for connection in self._connections:
            _break(connection)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        media.bind(("127.0.0.1", 0))
        self._connections.append(media)
        received = b""
        try:
            while data := connection.recv(4096):
                received += data
                while b"\r\n\r\n" in received:
                    request, _, received = received.partition(b"\r\n\r\n")
                    # What a player reports about its reception comes in binary between the requests.
                    self._answer(
                        connection, media, request[request.rfind(b"$") + 1 :].decode(errors="replace")
                    )
        except OSError:
            return

    def _answer(self, connection: socket.socket, media: socket.socket, request: str) -> None:
        lines = request.splitlines()
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        method = next((word for word in lines[0].split() if word.isupper()), "")
        token = base64.b64encode(self._login.encode()).decode()
        if self._login and headers.get("Authorization") != f"Basic {token}":
            status, extra, body = "401 Unauthorized", 'WWW-Authenticate: Basic realm="line"\r\n', ""
        else:
            status, body = "200 OK", ""
            extra = {
                "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Base: {self.url}/\r\n",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
            }.get(method, "")
            if method == "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=line\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                    "a=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
                )
        connection.sendall(
            f"RTSP/1.0 {status}\r\nCSeq: {headers.get('CSeq', 0)}\r\nSession: 1\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        if method == "PLAY" and status == "200 OK":
            self._play(connection, media)

    def _play(self, connection: socket.socket, media: socket.socket) -> None:
        port = media.getsockname()[1]
        picture = ["-re", "-f", "lavfi", "-i", f"testsrc=size={WIDTH}x{HEIGHT}:rate={RATE_HZ}"]
        encoder = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "quiet", *picture, "-c:v", "libx264",
             "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-pix_fmt", "yuv420p",
             "-payload_type", "96", "-f", "rtp", f"rtp://127.0.0.1:{port}?rtcpport=9"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._encoders.append(encoder)

        def forward() -> None:
            try:
                while not self._stopping.is_set():
                    packet = media.recv(65536)
                    if not self._silent.is_set():
                        connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
            except OSError:
                encoder.kill()

        threading.Thread(target=forward, daemon=True).start()


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have been first
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
