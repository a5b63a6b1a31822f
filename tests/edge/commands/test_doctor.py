"""``doctor`` and ``check`` say what is wrong, and what to do about each thing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.messaging import EmbeddedBroker, StationState, payloads
from tests.edge.commands.conftest import Command
from tests.edge.messaging.brokers import Mosquitto, Subscriber, free_port, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.conftest import MakeStation
from tests.edge.station.test_degraded import write_crashing_llama_cpp


def findings(out: str) -> dict[str, str]:
    """What was looked at, and how it is."""
    lines = [line.split() for line in out.splitlines() if not line.startswith(" ")]
    return {line[1]: line[0] for line in lines}


def test_a_healthy_station_has_nothing_wrong(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts")
    with EmbeddedBroker() as broker:
        brokers = [{"host": broker.host, "port": broker.port}]
        station = make_station(tmp_path / "parts", messaging={"brokers": brokers})
        done = command("doctor", station)
    assert (done.code, done.err) == (0, ""), done.out
    assert set(findings(done.out).values()) == {"ok"}
    for what in ("python", "packages", "clock", "processor", "bundle", "data", "product", "camera", "broker"):
        assert what in findings(done.out)


def test_the_language_half_is_tried(
    command: Command, make_speaking_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts")
    done = command("doctor", make_speaking_station(tmp_path / "parts"))
    assert done.code == 0, done.out
    assert findings(done.out)["language"] == "ok"
    assert "llama-cpp-python 0.3.36" in done.out and "the same each time" in done.out


@pytest.mark.usefixtures("speaking_enrolled", "own_memory_of_crashes")
def test_a_language_half_that_crashes_here_is_said_with_its_signal_and_what_to_do(
    command: Command, make_speaking_station: MakeStation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(tmp_path / "parts")
    write_crashing_llama_cpp(tmp_path / "path", "SIGSEGV")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "path"), *sys.path])
    done = command("doctor", make_speaking_station(tmp_path / "parts"))
    assert done.code == 1
    assert [what for what, how in findings(done.out).items() if how == "WRONG"] == ["language"]
    assert "SIGSEGV" in done.out and "llama_wheel" in done.out


def test_a_station_that_wants_words_of_a_bundle_without_any_is_told(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts")
    done = command("doctor", make_station(tmp_path / "parts", verdict={"decided_by": "language"}))
    assert done.code == 1
    assert findings(done.out)["language"] == "WRONG"
    assert "no language half" in done.out


def test_each_thing_that_is_wrong_comes_with_its_remedy(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    port = free_port()
    station = make_station(
        tmp_path / "no-parts",
        product="plat",
        bundle=str(tmp_path / "no-bundle"),
        messaging={"brokers": [{"host": "127.0.0.1", "port": port}]},
    )
    done = command("doctor", station)
    assert done.code == 1
    assert done.err == "4 things are wrong\n"
    wrong = {what for what, how in findings(done.out).items() if how == "WRONG"}
    assert wrong == {"bundle", "product", "camera", "broker"}
    for remedy in ("python -m build_engines build", "Did you mean 'plate'?", "camera.path", str(port)):
        assert remedy in done.out


def test_a_refused_login_is_called_refused(
    command: Command, make_station: MakeStation, mosquitto_with_password: Mosquitto, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts")
    broker = {"host": "127.0.0.1", "port": mosquitto_with_password.port}
    done = command("doctor", make_station(tmp_path / "parts", messaging={"brokers": [broker]}))
    assert done.code == 1
    assert "refused" in done.out


@pytest.fixture
def mosquitto_with_password(tmp_path: Path) -> Iterator[Mosquitto]:
    from tests.edge.messaging.brokers import MOSQUITTO

    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    with Mosquitto(tmp_path / "mosquitto", anonymous=False) as broker:
        yield broker


def test_it_leaves_nothing_at_the_broker_but_an_answer_that_nobody_waits_for(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts")
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        brokers = [{"host": broker.host, "port": broker.port}]
        assert command("doctor", make_station(tmp_path / "parts", messaging={"brokers": brokers})).code == 0
        assert wait_until(lambda: plc.of("reply"))  # it is sent on after the command has ended
        assert [reply["cmd"] for reply in plc.of("reply")] == ["doctor"]
        assert len(plc.messages) == 1


@pytest.mark.parametrize(
    ("state", "names", "text", "mark"),
    [
        (StationState.RUNNING, "default-degraded-faults", "", "ok"),
        (StationState.PAUSED, "default", "paused after the fault of a degraded press", "ok"),
        (StationState.RUNNING, "plate", "degraded: language: The worker died of SIGILL.", "WRONG"),
        (StationState.PAUSED, "plate", "degraded: broker: unreachable", "WRONG"),
        (StationState.FAULT, "plate", "", "WRONG"),
    ],
)
def test_what_a_station_says_of_itself_is_read_and_not_what_it_is_called(
    command: Command,
    make_station: MakeStation,
    tmp_path: Path,
    state: StationState,
    names: str,
    text: str,
    mark: str,
) -> None:
    write_parts(tmp_path / "parts")
    said = payloads.state(state, 3, product=names, bundle=names, engine=names, text=text)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as station:
        station.client.publish("plant/a/cell-3/state", said, qos=1, retain=True).wait_for_publish(10)
        brokers = [{"host": broker.host, "port": broker.port}]
        done = command("doctor", make_station(tmp_path / "parts", messaging={"brokers": brokers}))
    assert findings(done.out)["station"] == mark, done.out
    assert done.code == (0 if mark == "ok" else 1)


def test_a_flipped_byte_in_the_bundle_is_found(command: Command, tmp_path: Path, tiny_bundle: Bundle) -> None:
    import shutil

    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    graph = tmp_path / "bundle" / "vision.fp32.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    done = command("doctor", "--bundle", tmp_path / "bundle", "--data-dir", tmp_path / "data")
    assert done.code == 1
    assert findings(done.out)["bundle"] == "WRONG"
    assert "vision.fp32.onnx" in done.out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_found(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    done = command("doctor", "--bundle", tiny_bundle.path, "--data-dir", tmp_path / "data")
    assert findings(done.out)["data"] == "WRONG"


def test_check_says_what_a_good_file_means(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    done = command("check", make_station(tmp_path / "parts"))
    assert done.code == 0
    assert "plant/a/cell-3" in done.out and "plate (a bright disc on a dark plate)" in done.out
    assert "by calibration" in done.out


def test_check_finds_a_description_that_no_prompt_has_room_for(
    command: Command, make_station: MakeStation, tmp_path: Path
) -> None:
    station = make_station(tmp_path / "parts")
    file = tmp_path / "data" / "products" / "plate" / "product.json"
    file.write_text(file.read_text().replace("a bright disc", "a bright disc " * 20))
    done = command("check", station)
    assert done.code == 1
    assert "characters" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "station"),  # nothing in it
        ("station: {name: s}\nproduct: p\ncamera: {kind: foldr, path: x}\n", "camera.kind"),
        ("station: {name: s}\nproduct: p\ncamera: {kind: folder, path: x}\nqueu: {}\n", "queu"),
        ("station: [\n", "station.yaml:2"),  # no YAML
    ],
)
def test_check_names_line_and_key_of_a_bad_file(
    command: Command, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "station.yaml").write_text(text)
    done = command("check", tmp_path / "station.yaml")
    assert done.code == 1
    assert said in done.err
    assert done.err.startswith("error: ")
    assert command("run", tmp_path / "station.yaml").err == done.err
