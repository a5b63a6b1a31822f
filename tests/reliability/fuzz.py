"""Random payloads on ``cmd/#`` of a station at a real broker: nothing is done, all are accounted for."""

from __future__ import annotations

import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

from edge.messaging import LinkState, MessagingSettings, Publisher, ReplyCode
from edge.messaging.commands import COMMANDS, MAX_WAITING, Command
from tests.edge.messaging.brokers import Mosquitto, Subscriber, wait_until

#: Commands that are out of date, other JSON, and no JSON: what the fuzzer begins with.
_SEEDS = (
    b'{"id":"a","expires":1}',
    b'{"id":"b","expires":2,"product":"x","count":3}',
    b'{"id":"c","expires":3,"part_id":"p","code":1,"acquisition":1}',
    b'{"id":1}',
    b"{}",
    b"[]",
    b"\xff\xfe",
)
_NAMES = (*COMMANDS, "", "cmd", "trigger/now", "a b", "k\u00e4se", "x" * 60_000)


def _payload(rng: random.Random) -> bytes:
    payload = bytearray(rng.choice(_SEEDS) if rng.random() < 0.5 else rng.randbytes(rng.randrange(700)))
    for _ in range(rng.randrange(4)):
        if payload:
            payload[rng.randrange(len(payload))] = rng.randrange(256)
    return bytes(payload)


def _has_counted(station: Publisher, sent: int) -> bool:
    return sum(station.status().commands.values()) >= sent


def fuzzed_commands(folder: Path, total: int) -> dict[str, Any]:
    """Send so many random payloads, each once; a burst at a time, so that none is over the limit."""
    rng = random.Random(7)
    done: list[Command] = []

    def do(command: Command) -> str:
        done.append(command)
        return "done"

    # Nothing here needs to survive the broker, and saving every change would take an hour.
    with (
        Mosquitto(folder / "broker", "autosave_interval 1800") as broker,
        Subscriber(broker.port, "plant/a/cell-3/cmd/reply") as plc,
    ):
        settings = MessagingSettings(site="plant", line="a", brokers=(broker.settings(),))
        station = Publisher(settings, folder / "data", station="cell-3")
        for name in COMMANDS:
            station.handle(name, do)
        with station:
            assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
            began = time.monotonic()
            for sent in range(1, total + 1):
                topic = f"plant/a/cell-3/cmd/{rng.choice(_NAMES)}"
                plc.client.publish(topic, _payload(rng), qos=1, retain=False)
                if sent % MAX_WAITING == 0 or sent == total:
                    assert wait_until(partial(_has_counted, station, sent))
            seconds = time.monotonic() - began
            counts = dict(station.status().commands)
            assert wait_until(lambda: len(plc.of("reply")) == counts["answered"])
            assert done == [], f"{len(done)} commands were done, the first {done[0]}"
            plc.client.publish("plant/a/cell-3/cmd/pause", json.dumps({"id": "after"}), qos=1)
            assert wait_until(lambda: plc.of("reply")[-1]["id"] == "after")
            assert plc.of("reply")[-1]["code"] == ReplyCode.DONE
    return {"payloads": total, "done": 0, **counts, "seconds": round(seconds, 1)}
