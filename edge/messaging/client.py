"""The connection: one broker at a time, an honest state, no wait on anyone else.

A :class:`Client` runs paho's network loop in one thread of its own. Every attempt has a fresh paho
client, so nothing is ever resent from memory: what must not be lost lives in the outbox. paho calls
back with locks of its own held, which ``publish`` takes too: so its callbacks only note what
happened, and the :class:`Listener` is told when paho's loop has returned and holds none.
"""

from __future__ import annotations

import logging
import random
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import MessagingError
from edge.inspection import utc_timestamp
from edge.messaging import faults, security
from edge.messaging.faults import Fault
from edge.messaging.settings import BrokerSettings, MessagingSettings
from edge.messaging.status import LinkState, LinkStatus

if TYPE_CHECKING:
    from paho.mqtt.client import Client as PahoClient

log = logging.getLogger(__name__)

#: A connection that held this long was a good one: the next attempt starts afresh with the first broker.
STABLE_S = 5.0
#: So many in a row that did not hold are no accident: few brokers say that a client was replaced.
_SUSPICIOUS = 3
#: A topic may have 64 KB, a command 511 bytes: what is longer is no mistake that could be answered.
MOST_PACKET_BYTES = 131_072
_LOOP_S = 0.2
_GOODBYE_S = 1.0
#: Of the messages that a broker lets be under way, so many are not for the outbox.
_LIVE_ROOM = 8
#: What paho lets through when the system is out of sockets or a broker sends nonsense.
_LOOP_ERRORS = (OSError, ValueError, LookupError, struct.error)


@dataclass(frozen=True)
class Birth:
    """One connection's birth number and the last will that is its twin; without a topic, no will."""

    number: int
    will_topic: str = ""
    will_payload: bytes = b""
    retain: bool = True


class Listener(Protocol):
    """Who is told about the connection: in the network thread, in order, with no lock held.

    Each call should return soon: the connection rests meanwhile.
    """

    def link_up(self, session: BrokerSession) -> None: ...
    def link_down(self, session: BrokerSession) -> None: ...
    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None: ...
    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None: ...
    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None: ...


class BrokerSession:
    """One accepted connection, until it ends.

    Attributes:
        birth: its birth number.
        window: messages of the outbox that may be under way at one time.
        limit: messages of any kind.
        given_up: nobody wants it any more; the network thread ends it.
    """

    def __init__(self, client: PahoClient, birth: int, window: int, limit: int) -> None:
        self._client = client
        self.birth = birth
        self.window = window
        self.limit = limit
        self.given_up = False

    def give_up(self) -> None:
        """The broker acknowledges nothing: end the connection, and try the next broker."""
        self.given_up = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """Hand a message to the network thread.

        Returns:
            The number under which it will be acknowledged; None when the connection has just ended.
        """
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        return info.mid if info.rc == 0 else None


class _Attempt:
    """What one connection has seen so far; written by paho's callbacks in the network thread."""

    def __init__(self, birth: Birth, broker: BrokerSettings) -> None:
        self.birth = birth
        self.broker = broker
        self.session: BrokerSession | None = None
        self.fault: Fault | None = None
        self.socket_error = ""
        self.subscriptions: dict[int, list[str]] = {}
        self.ended_by_us = False  # for a packet that is too long
        self.untold: deque[Callable[[], None]] = deque()  # what the listener has yet to be told

    def tell_listener(self) -> None:
        """For the network thread outside of paho's loop: its callbacks hold its locks."""
        while self.untold:
            self.untold.popleft()()


class Client:
    """Keeps the station connected to the first broker that takes it.

    Args:
        settings: brokers, protocol, waits.
        client_id: unique among the broker's clients.
        subscriptions: topic filters to receive, QoS 1.
        prepare: makes the birth of the next connection; called in the network thread.
        listener: who is told.
        most_packet_bytes: what is longer is not read; a broker of MQTT 5 does not even send it.
    """

    def __init__(
        self,
        settings: MessagingSettings,
        *,
        client_id: str,
        subscriptions: list[str],
        prepare: Callable[[], Birth],
        listener: Listener,
        most_packet_bytes: int = MOST_PACKET_BYTES,
    ) -> None:
        self._settings = settings
        self._most_packet_bytes = most_packet_bytes
        self._client_id = client_id
        self._subscriptions = subscriptions
        self._prepare = prepare
        self._listener = listener
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-network", daemon=True)
        self._status = LinkStatus(LinkState.CONNECTING, str(settings.brokers[0]), since=utc_timestamp())
        self._short_lived = 0  # accepted connections in a row that did not hold
        self._told: set[str] = set()  # what was logged since the last connection that held

    @property
    def status(self) -> LinkStatus:
        """A snapshot."""
        return self._status

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye to the broker (no last will) and end the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._show(LinkState.STOPPED, self._status.broker)

    # -- the network thread ------------------------------------------------------------------

    def _run(self) -> None:
        brokers = self._settings.brokers
        index, rounds = 0, 0
        while not self._stop.is_set():
            lasted_s = self._connect_and_serve(brokers[index])
            if lasted_s >= STABLE_S:
                index, rounds = 0, 0
                self._told.clear()
            else:
                index = (index + 1) % len(brokers)
                if index != 0:
                    continue
                rounds += 1
            self._stop.wait(self._pause_s(rounds))

    def _pause_s(self, rounds: int) -> float:
        """Doubled with every failed round, and varied so that a hall of stations does not knock as one."""
        longest = self._settings.retry_max_s
        pause = min(longest, self._settings.retry_min_s * 2.0 ** min(max(0, rounds - 1), 32))
        return pause * random.uniform(0.5, 1.0)

    def _connect_and_serve(self, broker: BrokerSettings) -> float:
        """One attempt from TCP to its end; returns for how many seconds it was good."""
        try:
            attempt = _Attempt(self._prepare(), broker)
            client = self._make_paho(attempt)
        except MessagingError as error:
            self._show_fault(Fault(LinkState.MISCONFIGURED, error.message, error.remedy), broker)
            return 0.0
        host, port = broker.address
        try:
            client.connect(host, port, self._settings.keepalive_s, **self._connect_options())
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors, a bad name is a ValueError
            self._show_fault(faults.of_exception(error, broker, self._settings.connect_timeout_s), broker)
            return 0.0
        began = time.monotonic()
        try:
            self._loop(client, attempt, began + self._settings.connect_timeout_s)
        except _LOOP_ERRORS as error:
            attempt.fault = faults.broken(error, broker)
            attempt.ended_by_us = isinstance(error, faults.PacketTooLargeError)
        lasted_s = 0.0
        attempt.tell_listener()
        if attempt.session is not None:
            self._listener.link_down(attempt.session)
            if not attempt.session.given_up:
                lasted_s = time.monotonic() - began
                self._short_lived = self._short_lived + 1 if lasted_s < STABLE_S else 0
            if self._short_lived >= _SUSPICIOUS and not attempt.ended_by_us:
                attempt.fault = faults.thrown_out(broker, self._client_id)
        if not self._stop.is_set():
            self._show_fault(attempt.fault or faults.closed_unanswered(broker, attempt.socket_error), broker)
        return lasted_s

    def _loop(self, client: PahoClient, attempt: _Attempt, answer_by: float) -> None:
        """Run paho until the connection ends, is never answered, or the station stops."""
        leave_by = float("inf")
        try:
            while client.loop(_LOOP_S) == 0:
                attempt.tell_listener()
                now = time.monotonic()
                if attempt.session is None and attempt.fault is None and now > answer_by:
                    attempt.fault = faults.unanswered(attempt.broker, self._settings.connect_timeout_s)
                    break
                if attempt.session is not None and attempt.session.given_up:
                    attempt.fault = faults.unacknowledged(attempt.broker, self._settings.ack_timeout_s)
                    break
                if self._stop.is_set() and leave_by == float("inf"):
                    leave_by = now + _GOODBYE_S
                    client.disconnect()
                if now > leave_by:
                    break
        finally:
            connection = client.socket()
            if connection is not None:
                connection.close()

    def _connect_options(self) -> dict[str, Any]:
        if self._settings.protocol != "5":
            return {}
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._settings.session_expiry_s
        properties.MaximumPacketSize = self._most_packet_bytes
        return {"clean_start": self._settings.session_expiry_s == 0, "properties": properties}

    def _make_paho(self, attempt: _Attempt) -> PahoClient:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        from edge.messaging.packets import BoundedClient

        version_5 = self._settings.protocol == "5"
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if version_5 else self._settings.session_expiry_s == 0,
            userdata=attempt,
            protocol=paho.MQTTv5 if version_5 else paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.most_packet_bytes = self._most_packet_bytes
        client.connect_timeout = self._settings.connect_timeout_s
        client.max_inflight_messages_set(0)  # the pump keeps the window
        broker = attempt.broker
        if broker.username is not None:
            client.username_pw_set(broker.username, security.password(broker))
        if broker.tls is not None:
            client.tls_set_context(security.tls_context(broker.tls))
        birth = attempt.birth
        if birth.will_topic:
            client.will_set(birth.will_topic, birth.will_payload, qos=1, retain=birth.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log
        # With this set, publish() from another thread queues and wakes the loop, and never writes
        # to the socket itself beside the loop.
        client.on_socket_register_write = _leave_writing_to_the_loop
        return client

    # -- paho's callbacks, in the network thread -----------------------------------------------

    def _on_connect(
        self, client: PahoClient, attempt: _Attempt, flags: Any, reason: Any, properties: Any
    ) -> None:
        del flags
        if reason.is_failure:
            attempt.fault = faults.refused(reason.value, str(reason), attempt.broker)
            return
        limit = getattr(properties, "ReceiveMaximum", 65535)
        window = min(self._settings.outbox.window, limit - min(_LIVE_ROOM, limit // 2))
        attempt.session = BrokerSession(client, attempt.birth.number, window, limit)
        self._show(LinkState.CONNECTED, str(attempt.broker), birth=attempt.birth.number)
        self._tell(logging.INFO, f"connected to {attempt.broker}")
        if self._subscriptions:
            _, mid = client.subscribe(self._filters())
            if mid is not None:
                attempt.subscriptions[mid] = self._subscriptions
        attempt.untold.append(partial(self._listener.link_up, attempt.session))

    def _filters(self) -> list[tuple[str, Any]]:
        """The subscriptions; with MQTT 5 a retained message says so also to those who are connected."""
        if self._settings.protocol != "5":
            return [(name, 1) for name in self._subscriptions]
        from paho.mqtt.subscribeoptions import SubscribeOptions

        options = SubscribeOptions(qos=1, retainAsPublished=True)
        return [(name, options) for name in self._subscriptions]

    def _on_disconnect(
        self, client: PahoClient, attempt: _Attempt, flags: Any, reason: Any, properties: Any
    ) -> None:
        del client, properties
        if attempt.session is not None and attempt.fault is None:  # the first word is the true one
            said = str(reason) if flags.is_disconnect_packet_from_server else ""
            attempt.fault = faults.disconnected(said, attempt.broker)

    def _on_publish(
        self, client: PahoClient, attempt: _Attempt, mid: int, reason: Any, properties: Any
    ) -> None:
        del client, properties
        if attempt.session is not None:
            refusal = str(reason) if reason.is_failure else ""
            attempt.untold.append(partial(self._listener.acknowledged, attempt.session, mid, refusal))

    def _on_subscribe(
        self, client: PahoClient, attempt: _Attempt, mid: int, reasons: list[Any], properties: Any
    ) -> None:
        del client, properties
        names = attempt.subscriptions.pop(mid, [])
        if attempt.session is not None:
            refusals = {name: str(r) for name, r in zip(names, reasons, strict=False) if r.is_failure}
            attempt.untold.append(partial(self._listener.subscribed, attempt.session, refusals))

    def _on_message(self, client: PahoClient, attempt: _Attempt, message: Any) -> None:
        del client
        if attempt.session is not None:
            heard = (message.topic, bytes(message.payload), bool(message.retain))
            attempt.untold.append(partial(self._listener.received, attempt.session, *heard))

    def _on_log(self, client: PahoClient, attempt: _Attempt, level: int, text: str) -> None:
        del client
        if "socket" in text:
            attempt.socket_error = text
        log.debug("paho (%s): %s", level, text)

    # -- what others see -----------------------------------------------------------------------

    def _show(self, state: LinkState, broker: str, *, birth: int = 0) -> None:
        self._status = LinkStatus(state, broker, since=utc_timestamp(), birth=birth)

    def _show_fault(self, fault: Fault, broker: BrokerSettings) -> None:
        since = self._status.since if self._status.state is fault.state else utc_timestamp()
        self._status = LinkStatus(fault.state, str(broker), fault.reason, fault.remedy, since)
        self._tell(logging.WARNING, f"{fault.reason} {fault.remedy}")

    def _tell(self, level: int, text: str) -> None:
        """Log it once when it breaks and once when it is back, not at every attempt in between."""
        if text not in self._told:
            self._told.add(text)
            log.log(level, "MQTT: %s", text)


def _leave_writing_to_the_loop(client: PahoClient, userdata: object, sock: object) -> None:
    del client, userdata, sock
