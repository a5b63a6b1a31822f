"""Whether a broker lets this station in, found out beside the station that may be running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ulid import ULID

if TYPE_CHECKING:
    from edge.messaging.client import Session
    from edge.messaging.settings import BrokerSettings, MessagingSettings
    from edge.messaging.status import LinkStatus

_POLL_S = 0.05


class _Deaf:
    """Nobody has to be told: only the status counts."""

    def link_up(self, session: Session) -> None:
        """Connected."""

    def link_down(self, session: Session) -> None:
        """Not connected any more."""

    def acknowledged(self, session: Session, mid: int, refusal: str) -> None:
        """Never called: nothing is published."""

    def subscribed(self, session: Session, refusals: dict[str, str]) -> None:
        """Never called: nothing is subscribed."""

    def received(self, session: Session, topic: str, payload: bytes, retained: bool) -> None:
        """Never called: nothing is subscribed."""


def probe(settings: MessagingSettings, broker: BrokerSettings) -> LinkStatus:
    """Connect once with the station's account and leave again; nothing is published.

    Returns:
        The first status that says something: connected (``birth`` is 1), or why not.
    """
    from edge.messaging.client import Birth, Client
    from edge.messaging.status import LinkState

    client = Client(
        settings.model_copy(update={"brokers": (broker,), "session_expiry_s": 0}),
        # A name of its own: with the station's, the broker would throw the running station out.
        client_id=f"doctor-{str(ULID())[-10:]}",
        subscriptions=[],
        prepare=lambda: Birth(1),
        listener=_Deaf(),
    )
    client.start()
    try:
        deadline = time.monotonic() + 3 * settings.connect_timeout_s
        while client.status.state is LinkState.CONNECTING and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return client.status
    finally:
        client.stop()
