"""Why a broker cannot be used, said so that someone can act on it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from edge.messaging.settings import BrokerSettings
from edge.messaging.status import LinkState


@dataclass(frozen=True)
class Fault:
    """A failed attempt: the state to show, the reason and the remedy."""

    state: LinkState
    reason: str
    remedy: str = ""


def of_exception(error: Exception, broker: BrokerSettings, timeout_s: float) -> Fault:
    """The fault behind an exception raised while connecting."""
    host = broker.host
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return _of_tls(str(error), broker)
    if isinstance(error, socket.gaierror | UnicodeError):
        return Fault(
            LinkState.UNREACHABLE, f"The name {host!r} is not known.", "Check 'host' and the name server."
        )
    if isinstance(error, ConnectionRefusedError):
        return Fault(
            LinkState.UNREACHABLE, f"Nothing listens on {broker}.", "Start the broker or check 'port'."
        )
    if isinstance(error, TimeoutError):
        return Fault(
            LinkState.UNREACHABLE,
            f"{broker} did not answer within {timeout_s:g} s.",
            "Check the network and the firewall.",
        )
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        # While connecting, only a TLS handshake is long enough to be cut off.
        return _of_tls("EOF", broker) if broker.tls is not None else closed_unanswered(broker)
    return Fault(LinkState.UNREACHABLE, f"{broker} cannot be reached: {error}.", "Check the network.")


def _of_tls(text: str, broker: BrokerSettings) -> Fault:
    """The fault behind OpenSSL's words; the original stays in the reason for those who know it."""
    upper = text.upper()
    table = (
        # what OpenSSL says, what it means, what to do
        ("CERTIFICATE HAS EXPIRED", "the broker's certificate has expired", "Renew it on the broker."),
        ("NOT YET VALID", "the broker's certificate is not valid yet", "Set this computer's clock."),
        (
            "HOSTNAME MISMATCH",
            f"the broker's certificate is not for {broker.host!r}",
            "Use a name in it as 'host'.",
        ),
        (
            "IP ADDRESS MISMATCH",
            f"the broker's certificate is not for {broker.host!r}",
            "Use a name in it as 'host'.",
        ),
        (
            "SELF-SIGNED",
            "the broker's certificate is signed by an unknown authority",
            "Set 'tls.ca' to its CA file.",
        ),
        (
            "SELF SIGNED",
            "the broker's certificate is signed by an unknown authority",
            "Set 'tls.ca' to its CA file.",
        ),
        (
            "UNABLE TO GET",
            "the broker's certificate is signed by an unknown authority",
            "Set 'tls.ca' to its CA file.",
        ),
        (
            "SIGNATURE FAILURE",
            "the broker's certificate is signed by another authority",
            "Set 'tls.ca' to its CA file.",
        ),
        ("WRONG_VERSION_NUMBER", "the port does not speak TLS", "Use the broker's TLS port or remove 'tls'."),
        ("RECORD_LAYER_FAILURE", "the port does not speak TLS", "Use the broker's TLS port or remove 'tls'."),
        (
            "CERTIFICATE_REQUIRED",
            "the broker wants a client certificate",
            "Set 'tls.certificate' and 'tls.key'.",
        ),
        (
            "HANDSHAKE_FAILURE",
            "the broker refused the handshake",
            "It may want a client certificate: 'tls.certificate'.",
        ),
        (
            "ALERT_UNKNOWN_CA",
            "the broker does not know who signed the client certificate",
            "Use one that its CA signed.",
        ),
        ("ALERT_CERTIFICATE_EXPIRED", "the client certificate has expired", "Renew 'tls.certificate'."),
        (
            "PROTOCOL_VERSION",
            "the broker offers no TLS version that is allowed",
            "Check 'tls.minimum_version'.",
        ),
        (
            "UNSUPPORTED_PROTOCOL",
            "the broker offers no TLS version that is allowed",
            "Check 'tls.minimum_version'.",
        ),
        ("EOF", "the broker ended the handshake", "Use the broker's TLS port, or remove 'tls'."),
    )
    for needle, meaning, remedy in table:
        if needle in upper:
            return Fault(LinkState.TLS_ERROR, f"TLS with {broker}: {meaning} ({text}).", remedy)
    return Fault(LinkState.TLS_ERROR, f"TLS with {broker} failed: {text}.", "Check 'tls'.")


def closed_unanswered(broker: BrokerSettings, socket_error: str = "") -> Fault:
    """The broker hung up before it answered the login."""
    if "SSL" in socket_error:  # TLS 1.3 tells a client about its certificate only after the handshake
        return _of_tls(socket_error, broker)
    remedy = (
        "The broker's log says why."
        if broker.tls is not None
        else "If this is a TLS port, add 'tls'; else the broker's log says why."
    )
    return Fault(LinkState.CLOSED, f"{broker} closed the connection without an answer.", remedy)


def unanswered(broker: BrokerSettings, timeout_s: float) -> Fault:
    """The connection stands, and the broker says nothing."""
    remedy = (
        "Is it an MQTT broker?" if broker.tls is not None else "Is it an MQTT broker? A TLS port needs 'tls'."
    )
    return Fault(LinkState.UNREACHABLE, f"{broker} did not answer the login within {timeout_s:g} s.", remedy)


def unacknowledged(broker: BrokerSettings, timeout_s: float) -> Fault:
    """The broker answers pings, and acknowledges no message."""
    return Fault(
        LinkState.CLOSED,
        f"{broker} has acknowledged no message for {timeout_s:g} s.",
        "Check the broker's log and its disk; if it really is that slow, raise 'ack_timeout_s'.",
    )


_REFUSALS = {
    132: ("it does not support this MQTT version", "Set 'protocol' to the other version."),
    133: ("it rejects the client id", "Set 'client_id'."),
    134: ("the user name or the password is wrong", "Check 'username' and the password file or variable."),
    135: ("the station is not authorised", "Check 'username', the password, and the broker's accounts."),
    136: ("it is not available", "Check the broker."),
    137: ("it is busy", "Check the broker."),
    138: ("the station is banned", "Check the broker's accounts."),
    151: ("its quota is used up", "Check the broker's limits."),
    159: ("it limits how often a client may connect", "Raise 'retry_min_s'."),
}


def refused(reason_code: int, reason_name: str, broker: BrokerSettings) -> Fault:
    """The broker answered the login with no."""
    meaning, remedy = _REFUSALS.get(reason_code, (reason_name.lower(), "The broker's log says why."))
    return Fault(LinkState.REFUSED, f"{broker} refused the login: {meaning}.", remedy)


def disconnected(reason_name: str, broker: BrokerSettings) -> Fault:
    """An accepted connection ended; without a name the broker gave no reason."""
    why = f"the broker says: {reason_name.lower()}" if reason_name else "the broker or the network went away"
    return Fault(LinkState.CLOSED, f"The connection to {broker} ended ({why}).")


class PacketTooLargeError(ValueError):
    """A packet is longer than is read."""

    def __init__(self, length: int, most: int) -> None:
        super().__init__(f"a packet of {length} bytes came in, and at most {most} are read")


def broken(error: Exception, broker: BrokerSettings) -> Fault:
    """The connection could not be kept going: no sockets left, or a packet too long or without sense."""
    if isinstance(error, PacketTooLargeError):
        remedy = (
            "Have the broker refuse such messages (mosquitto: message_size_limit) and clear retained ones."
        )
        return Fault(LinkState.CLOSED, f"The connection to {broker} was ended: {error}.", remedy)
    what = f"{type(error).__name__}: {error}"
    return Fault(LinkState.CLOSED, f"The connection to {broker} broke off ({what}).", "Is it an MQTT broker?")


def thrown_out(broker: BrokerSettings, client_id: str) -> Fault:
    """Accepted and thrown out, again and again."""
    return Fault(
        LinkState.REFUSED,
        f"{broker} accepts the login and soon ends the connection, each time; another client may have "
        f"the same client id ({client_id}).",
        "Give each station its own 'station' name or 'client_id'; else the broker's log says why.",
    )
