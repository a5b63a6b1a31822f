"""One process of the language worker, seen from the station: its start, what goes in and out, its end."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection

from edge.language.requests import VerdictRequest, WorkerReply, WorkerRequest, WorkerSetup

_HUNG_S = 5.0  # A worker answers every request about at its deadline, if only with an error.
_POLL_S = 0.2


class Child:
    """One process, our end of its connection, and a thread that writes to it.

    Args:
        setup: what it is to load; it answers with the first message that :meth:`receive` gives.

    Raises:
        OSError: the machine starts no process: no interpreter, no descriptors, no memory.
        RuntimeError: it starts no thread.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # -I and a handed-over path: the worker imports exactly what this process imports.
            start = (
                "import sys; _, number, *sys.path = sys.argv;"
                "from edge.language.serve import main; main(int(number))"
            )
            number = theirs.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", start, str(number), *sys.path],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            self._connection = Connection(ours.detach())
        self._outbox: queue.SimpleQueue[WorkerSetup | WorkerRequest | None] = queue.SimpleQueue()
        self._unanswered: dict[int, WorkerRequest] = {}
        self._sender = threading.Thread(target=self._send_all, name="language-sender", daemon=True)
        try:
            self._sender.start()
        except RuntimeError:
            self._connection.close()
            self.process.kill()
            self.process.wait()
            raise
        self._outbox.put(setup)

    def send(self, request: WorkerRequest) -> None:
        """Queues a request; never waits."""
        self._unanswered[request.number] = request
        self._outbox.put(request)

    def receive(self, timeout_s: float, stop: threading.Event) -> object:
        """The worker's next message; None after the time, or soon after ``stop`` is set.

        Raises:
            EOFError, OSError: the worker is gone.
        """
        end = time.monotonic() + timeout_s
        while not self._connection.poll(_POLL_S):
            if stop.is_set() or time.monotonic() >= end:
                return None
        message: object = self._connection.recv()
        if isinstance(message, WorkerReply):
            self._unanswered.pop(message.number, None)
        return message

    def is_late(self) -> bool:
        """Whether it is at a part still whose verdict nobody waits for any more."""
        now = time.monotonic()
        return any(
            now > request.deadline
            for request in list(self._unanswered.values())
            if isinstance(request.work, VerdictRequest)
        )

    def is_hung(self) -> bool:
        """Whether a request was not answered well after its deadline."""
        now = time.monotonic()
        return any(now > request.deadline + _HUNG_S for request in list(self._unanswered.values()))

    def wait(self, patience_s: float) -> int:
        """The status of a process that has closed its connection; it is killed after the patience."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def end(self, patience_s: float) -> None:
        """Closes the connection, upon which a healthy worker ends; kills it after the patience."""
        self._outbox.put(None)
        if patience_s == 0:
            self.process.kill()
        self._sender.join(patience_s or None)
        if not self._sender.is_alive():
            self._connection.close()
        try:
            self.process.wait(patience_s or None)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._sender.join()
            self._connection.close()

    def _send_all(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
        except OSError:
            return  # The worker is gone; the supervisor sees it too, and tells those who wait.
