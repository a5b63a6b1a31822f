"""A station to be killed: takes in results until it dies, and prints what is durable."""

from __future__ import annotations

import sys
from pathlib import Path

from edge.messaging import BrokerSettings, MessagingSettings, Publisher
from tests.edge.messaging.brokers import inspection


def main() -> None:
    settings = MessagingSettings(
        site="plant", line="a", brokers=(BrokerSettings(host="127.0.0.1", port=int(sys.argv[2])),)
    )
    station = Publisher(settings, Path(sys.argv[1]), station="cell-3")
    station.start()
    seq = station.last_result_seq()
    while True:
        seq += 1
        station.publish_inspections([inspection(seq)])
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
