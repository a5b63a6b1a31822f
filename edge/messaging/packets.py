"""paho's client with a bound on what it takes in: a packet is refused by its length, before it is read.

MQTT 5 lets a client tell the broker how long a packet may be; MQTT 3.1.1 does not, and a broker need
not keep to it. paho itself would gather 256 MB.
"""

from __future__ import annotations

from paho.mqtt.client import Client as PahoClient

from edge.messaging.faults import PacketTooLargeError


class BoundedClient(PahoClient):
    """A paho client whose loop raises :class:`PacketTooLargeError` where a longer packet comes in.

    Attributes:
        most_packet_bytes: of a packet's content.
    """

    most_packet_bytes: int

    def _sock_recv(self, bufsize: int) -> bytes:
        # paho asks for single bytes until it knows a packet's length, and then for all that is left of it.
        if bufsize > self.most_packet_bytes:
            raise PacketTooLargeError(bufsize, self.most_packet_bytes)
        return super()._sock_recv(bufsize)
