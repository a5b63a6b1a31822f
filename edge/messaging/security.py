"""TLS contexts and passwords, read when they are used, so that a renewed file is picked up."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.errors import MessagingError
from edge.messaging.settings import BrokerSettings, TlsSettings


class _Socket(ssl.SSLSocket):
    """Closed by a handshake that fails: paho leaves such a socket to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (OSError, ValueError):  # paho waits with a time limit, so this is the end of it
            self.close()
            raise


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """The client's TLS context: the broker's certificate and name are always checked.

    Raises:
        MessagingError: a file is missing or is not what it should be.
    """
    for what, path in (("CA", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
        if path is not None:
            _require(path, f"TLS {what} file")
    try:
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
    except (ssl.SSLError, OSError) as error:
        raise MessagingError(f"The CA file {tls.ca} cannot be used: {error}.", "Give a PEM file.") from error
    context.sslsocket_class = _Socket
    context.minimum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[
        tls.minimum_version
    ]
    if tls.certificate is not None:
        try:
            # An encrypted key would make OpenSSL ask at a terminal that a station does not have.
            context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
        except (ssl.SSLError, OSError) as error:
            raise MessagingError(
                f"The client certificate {tls.certificate} and its key cannot be used: {error}.",
                "Give a PEM certificate and its unencrypted PEM key.",
            ) from error
    return context


def password(broker: BrokerSettings) -> str | None:
    """The broker's password from its file or variable; None where there is none.

    Raises:
        MessagingError: the file or variable is missing or empty. The password is in no message.
    """
    if broker.password_env is not None:
        secret = os.environ.get(broker.password_env, "")
        if not secret:
            raise MessagingError(
                f"The environment variable {broker.password_env} with the password for {broker} is not set.",
                "Set it for the station's service.",
            )
        return secret
    if broker.password_file is not None:
        lines = _read(broker.password_file, "password file").decode("utf-8", "replace").splitlines()
        if not lines or not lines[0]:
            raise MessagingError(
                f"The password file {broker.password_file} is empty.", "Write the password into it."
            )
        return lines[0]
    return None


def _require(path: Path, what: str) -> None:
    _read(path, what)


def _read(path: Path, what: str) -> bytes:
    try:
        return read_regular(path, SMALL_FILE_BYTES)
    except OSError as error:
        raise MessagingError(
            f"The {what} {path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
