"""Who else could read a station's passwords, or speak in its name: what works, and should not stay so."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config import StationConfig
    from edge.messaging import BrokerSettings, MessagingSettings

Doubt = tuple[str, str]
"""What was found, and what to do."""


def broker_doubts(settings: MessagingSettings, broker: BrokerSettings) -> Iterator[Doubt]:
    """What is wrong with the way to a broker; nothing where it is on this machine alone."""
    if is_loopback(broker.host):
        return
    if broker.username is not None and broker.tls is None:
        yield (
            f"the login for {broker} goes over the network in clear text",
            "Add tls to the broker's settings, and a TLS listener to the broker.",
        )
    if lets_anybody_in(settings, broker):
        yield (
            f"{broker} lets anybody in, without a login: anybody can command the station",
            "Set allow_anonymous false there, with an account and an ACL; configs/mosquitto shows how.",
        )


def file_doubts(config: StationConfig) -> Iterator[Doubt]:
    """Password and key files that other accounts of this machine may read or change."""
    for path in _secret_files(config):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # who needs it says so
        if mode & stat.S_IRWXO:
            yield (
                f"{path} can be used by every account of this machine (mode {mode:04o})",
                f"Let the station's account own it, and: chmod 0600 {path}",
            )


def lets_anybody_in(settings: MessagingSettings, broker: BrokerSettings) -> bool:
    """Whether a broker accepts a client that shows neither a password nor a certificate of its own."""
    from edge.messaging import Topics
    from edge.station.broker_probe import probe

    tls = broker.tls and broker.tls.model_copy(update={"certificate": None, "key": None})
    nobody = broker.model_copy(
        update={"username": None, "password_file": None, "password_env": None, "tls": tls}
    )
    return bool(probe(settings, nobody, Topics("doctor", "doctor", "nobody")).link.birth)


def is_loopback(host: str) -> bool:
    """Whether what goes to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _secret_files(config: StationConfig) -> Iterator[Path]:
    for broker in config.messaging.brokers:
        if broker.password_file is not None:
            yield broker.password_file
        if broker.tls is not None and broker.tls.key is not None:
            yield broker.tls.key
    for camera in config.all_cameras:
        if camera.kind == "rtsp" and camera.password_file is not None:
            yield camera.password_file
