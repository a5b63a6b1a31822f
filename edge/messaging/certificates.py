"""Certificates for a broker and its clients, made with openssl.

``ca.key`` is the plant's authority: who has it can make certificates that the broker trusts.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.errors import MessagingError
from edge.messaging.topics import check_level

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make_authority(folder: Path) -> Path:
    """Make ``ca.crt`` and ``ca.key`` in the folder, unless they are there; returns ``ca.crt``.

    Raises:
        MessagingError: openssl is missing or fails, or the folder cannot be written.
    """
    certificate = folder / "ca.crt"
    if not certificate.exists():
        with _workshop(folder) as work:
            usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
            subject = ("-subj", "/CN=anomalygpt-edge authority")
            _openssl(
                *("req", "-x509", *_NEW_KEY, *subject, *usage),
                *("-days", str(AUTHORITY_DAYS), "-keyout", f"{work}/ca.key", "-out", f"{work}/ca.crt"),
            )
            _keep(Path(work), folder, "ca")
    return certificate


def issue(folder: Path, name: str, hosts: Sequence[str] = (), *, days: int = CERTIFICATE_DAYS) -> Path:
    """Make ``<name>.crt`` and ``<name>.key``, signed by the folder's authority; returns the certificate.

    Args:
        hosts: names and addresses of a broker; empty for a client, whose name is its user.
        days: for how long it is valid.

    Raises:
        MessagingError: a name cannot be used, or openssl is missing or fails.
    """
    check_level(name, "certificate name")
    make_authority(folder)
    purpose = "serverAuth" if hosts else "clientAuth"
    extensions = f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage={purpose}\n"
    if hosts:
        extensions += f"subjectAltName={','.join(map(_alternative_name, hosts))}\n"
    with _workshop(folder) as work:
        (Path(work) / "extensions").write_text(extensions)
        _openssl(
            *("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}"),
            *("-keyout", f"{work}/{name}.key", "-out", f"{work}/request"),
        )
        _openssl(
            *("x509", "-req", "-in", f"{work}/request", "-extfile", f"{work}/extensions"),
            *("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key")),
            *("-set_serial", str(int.from_bytes(os.urandom(16), "big") >> 1)),
            *("-days", str(days), "-out", f"{work}/{name}.crt"),
        )
        _keep(Path(work), folder, name)
    return folder / f"{name}.crt"


def _alternative_name(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        pass
    if not host or any(character in host for character in ",\n\r =") or not host.isascii():
        raise MessagingError(
            f"{host!r} is not a host name or an address.", "Give the name that stations connect to."
        )
    return f"DNS:{host}"


def _workshop(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A place in the folder where keys are made, readable by nobody else."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        raise MessagingError(
            f"{folder} cannot be written: {error.strerror}.", "Choose another folder."
        ) from error


def _keep(work: Path, folder: Path, name: str) -> None:
    (work / f"{name}.key").chmod(0o600)
    (work / f"{name}.crt").chmod(0o640)
    for suffix in (".key", ".crt"):
        (work / f"{name}{suffix}").replace(folder / f"{name}{suffix}")


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise MessagingError("The program openssl is not installed.", "Install it: sudo apt install openssl.")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MessagingError(f"openssl {arguments[0]} failed: {last}.", "Check the names and the folder.")
