"""A simulated PLC, which speaks MQTT 3.1.1 and nothing else, does its work with a station."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ProductError
from edge.inspection import Verdict
from edge.messaging import AlarmCode, LinkState, Publisher, ReplyCode, StationState
from edge.messaging.commands import Command
from edge.messaging.settings import MessagingSettings
from tests.edge.messaging.brokers import Mosquitto, Subscriber, inspection, wait_until


class Plc(Subscriber):
    """Reads retained signals and sends commands, each with an id and an expiry of its own."""

    numbers = itertools.count(1)

    def command(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its last reply."""
        command_id = fields.pop("id", f"plc-{next(self.numbers)}")
        fields = {"id": command_id, "expires": int(time.time() * 1000) + 30_000, **fields}
        self.client.publish(f"plant/a/cell-3/cmd/{name}", json.dumps(fields), qos=1)
        assert wait_until(lambda: self._replies(command_id))
        return self._replies(command_id)[-1]

    def _replies(self, command_id: str) -> list[dict[str, Any]]:
        return [reply for reply in self.of("reply") if reply["id"] == command_id]

    def sees(self, **signals: int | str) -> bool:
        """Wait for these signals of the handshake."""
        return wait_until(
            lambda: self.of("handshake") and signals.items() <= self.of("handshake")[-1].items()
        )


MakeStation = Callable[..., "Station"]


class Station:
    """Does what a station does with commands; the pictures are made up."""

    def __init__(self, make: Callable[..., Publisher], mosquitto: Mosquitto, **settings: Any) -> None:
        self.commands: list[Command] = []
        self.change: Future[str] = Future()
        section = MessagingSettings(site="plant", line="a", brokers=(mosquitto.settings(),), **settings)
        self.publisher = make(section)
        self.publisher.handle("trigger", self._trigger)
        self.publisher.handle("product", self._product)
        self.publisher.start()
        self.publisher.set_state(StationState.RUNNING)
        assert wait_until(lambda: self.publisher.status().link.state is LinkState.CONNECTED)

    def _trigger(self, command: Command) -> str:
        self.commands.append(command)
        return "triggered"

    def _product(self, command: Command) -> str | Future[str]:
        if command.product != "bottle":
            raise ProductError(f"There is no product {command.product!r}.", "Enroll it first.")
        return self.change


@pytest.fixture
def station(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[MakeStation]:
    mosquitto.start()
    made: list[Publisher] = []

    def make(section: MessagingSettings) -> Publisher:
        made.append(Publisher(section, tmp_path / "data", station="cell-3"))
        return made[-1]

    yield lambda **settings: Station(make, mosquitto, **settings)
    for one in made:
        one.stop(0)


def test_the_handshake_over_ten_parts(station: MakeStation, mosquitto: Mosquitto) -> None:
    line = station(handshake={"enabled": True})
    with Plc(mosquitto.port) as plc:
        for n in range(1, 11):
            assert plc.sees(ready=1, busy=0, valid=0)
            assert plc.command("trigger", part_id=f"part-{n}")["code"] == ReplyCode.DONE
            assert plc.sees(busy=1, acquisition=n)
            verdict = (Verdict.OK, Verdict.NG, Verdict.ERROR)[n % 3]
            line.publisher.publish_inspections([inspection(n, verdict, acquisition=n)])
            assert plc.sees(valid=1, code=verdict.code, part_id=f"part-{n}")
            assert plc.command("result_ack", acquisition=n)["code"] == ReplyCode.DONE
        assert plc.seqs() == list(range(1, 11))
        # The number goes with the trigger to the camera, and comes back with the inspection.
        assert [command.acquisition for command in line.commands] == list(range(1, 11))
        assert [command.part_id for command in line.commands] == [f"part-{n}" for n in range(1, 11)]


def test_a_trigger_too_early_is_a_missed_acquisition_and_is_not_done_later(
    station: MakeStation, mosquitto: Mosquitto
) -> None:
    line = station(handshake={"enabled": True})
    with Plc(mosquitto.port) as plc:
        plc.command("trigger", part_id="part-1")
        late = plc.command("trigger", part_id="part-2")
        assert late["code"] == ReplyCode.REFUSED and "Missed acquisition" in late["text"]
        assert plc.sees(busy=1, missed=1)
        line.publisher.publish_inspections([inspection(1, acquisition=1)])
        plc.command("result_ack", acquisition=1)
        assert plc.sees(ready=1)
        assert len(line.commands) == 1


def test_a_result_that_never_comes_is_an_error_for_the_plc(
    station: MakeStation, mosquitto: Mosquitto
) -> None:
    station(handshake={"enabled": True, "result_timeout_s": 0.3})
    with Plc(mosquitto.port) as plc:
        plc.command("trigger")
        assert plc.sees(valid=1, code=3)


def test_a_product_change_is_accepted_and_confirmed_when_it_took_effect(
    station: MakeStation, mosquitto: Mosquitto
) -> None:
    line = station()
    with Plc(mosquitto.port) as plc:
        assert plc.command("product", product="bottle", id="change")["code"] == ReplyCode.ACCEPTED
        line.change.set_result("bottle from the next part on")
        assert wait_until(lambda: plc.of("reply")[-1]["code"] == ReplyCode.DONE)
        unknown = plc.command("product", product="cup")
        assert unknown["code"] == ReplyCode.REFUSED and "Enroll it first." in unknown["text"]


def test_a_repeated_trigger_is_done_once(station: MakeStation, mosquitto: Mosquitto) -> None:
    line = station()
    with Plc(mosquitto.port) as plc:
        for _ in range(3):
            assert plc.command("trigger", id="same", part_id="p")["code"] == ReplyCode.DONE
        assert wait_until(lambda: len(plc._replies("same")) == 3)
        assert len(line.commands) == 1


def test_a_retained_command_is_never_done(station: MakeStation, mosquitto: Mosquitto) -> None:
    mosquitto_topic = "plant/a/cell-3/cmd/trigger"
    with Plc(mosquitto.port) as plc:
        plc.client.publish(mosquitto_topic, '{"id":"old"}', qos=1, retain=True)
        assert wait_until(lambda: plc.of("trigger"))
        line = station()
        assert wait_until(lambda: plc._replies("old"))
        assert plc._replies("old")[0]["code"] == ReplyCode.REFUSED
        assert line.commands == []


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_keeps_commands_has_those_done_that_are_in_time(
    station: MakeStation, mosquitto: Mosquitto, protocol: str
) -> None:
    settings = {"session_expiry_s": 60, "protocol": protocol}
    station(**settings).publisher.stop()
    now_ms = int(time.time() * 1000)
    with Plc(mosquitto.port) as plc:
        for name, expires in (("old", now_ms - 1), ("good", now_ms + 60_000), ("endless", 0)):
            fields = {"id": name, "part_id": name} | ({"expires": expires} if expires else {})
            plc.client.publish("plant/a/cell-3/cmd/trigger", json.dumps(fields), qos=1)
        assert wait_until(lambda: len(plc.of("trigger")) == 3)
        line = station(**settings)
        assert wait_until(lambda: all(plc._replies(name) for name in ("old", "good", "endless")))
        assert [command.part_id for command in line.commands] == ["good"]
        codes = {name: plc._replies(name)[-1]["code"] for name in ("old", "good", "endless")}
        assert codes == {
            "old": ReplyCode.EXPIRED,
            "good": ReplyCode.DONE,
            "endless": ReplyCode.REFUSED,
        }


def test_alarms_stand_until_the_plc_acknowledges_them_also_over_a_restart(
    station: MakeStation, mosquitto: Mosquitto
) -> None:
    with Plc(mosquitto.port) as plc:
        line = station(alarms={"ng_count": 2, "ng_window": 5})
        line.publisher.publish_inspections([inspection(n, Verdict.NG) for n in (1, 2)])
        assert wait_until(lambda: plc.of("alarm") and plc.of("alarm")[-1]["active"] == 1)
        line.publisher.stop()
        line = station(alarms={"ng_count": 2, "ng_window": 5})
        assert plc.command("ack", code=AlarmCode.NG_SERIES)["text"] == "1 alarms acknowledged."
        assert wait_until(lambda: plc.of("alarm")[-1]["active"] == 0)
        assert plc.seqs_without_repeats("alarm") == [1, 2]
        assert plc.command("ack", code=31)["code"] == ReplyCode.REFUSED
        assert line.publisher.acknowledge() == 0


@pytest.mark.parametrize("name", ["product", "trigger"])
def test_a_command_that_is_to_be_kept_is_refused_also_while_connected(
    station: MakeStation, mosquitto: Mosquitto, name: str
) -> None:
    """MQTT 5 tells a subscriber that a message was published retained; see docs/plc.md for 3.1.1."""
    line = station()
    with Plc(mosquitto.port) as plc:
        topic = line.publisher.topics.command(name)
        kept = {"id": "kept", "product": "bottle"}
        plc.client.publish(topic, json.dumps(kept), qos=1, retain=True)
        assert wait_until(lambda: plc._replies("kept"))
        (reply,) = plc._replies("kept")
        assert reply["code"] == ReplyCode.REFUSED and "retain" in reply["text"]
        assert line.commands == []
        line.change.set_result("bottle it is")
        plc.command(name, id="new", product="bottle")
        assert wait_until(lambda: plc._replies("new")[-1]["code"] == ReplyCode.DONE), (
            "without retain it is done"
        )
