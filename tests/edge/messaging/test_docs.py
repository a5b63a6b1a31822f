"""The page for PLC programmers and the flow for Node-RED say what the station does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.inspection import Verdict
from edge.messaging import AlarmCode, EventCode, ReplyCode, StationState, Topics, payloads
from edge.messaging.alarms import AlarmChange
from edge.messaging.commands import COMMANDS, parse
from tests.edge.messaging.brokers import inspection

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "plc.md").read_text()
FLOW: list[dict[str, Any]] = json.loads((ROOT / "configs" / "node-red" / "flow.json").read_text())
NODES = {node["id"]: node for node in FLOW}
TOPICS = Topics("plant", "a", "cell-3")


def section(heading: str) -> str:
    """The text below a heading, up to the next one of its rank or above."""
    rank = heading.split()[0]
    rest = PAGE.split(f"\n{heading}\n")[1]
    return re.split(rf"\n#{{2,{len(rank)}}} ", rest)[0]


@pytest.mark.parametrize("name", ["result", "state", "alarm", "heartbeat", "event", "handshake"])
def test_every_field_of_every_message_is_described(name: str) -> None:
    paragraphs = section("## Reading").strip().split("\n\n")
    paragraph = next(text for text in paragraphs if text.startswith(f"**`{name}`**"))
    missing = {field for field in payloads.schema(name)["properties"] if f"`{field}`" not in paragraph}
    assert missing == set()


def test_every_command_and_every_field_of_commands_and_replies_is_described() -> None:
    text = section("## Commanding")
    for name in (
        *COMMANDS,
        *payloads.schema("cmd")["properties"],
        *payloads.schema("cmd_reply")["properties"],
    ):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(
    ("heading", "codes"),
    [
        ("## Reading", StationState),
        ("## Reading", AlarmCode),
        ("## Reading", EventCode),
        ("## Commanding", ReplyCode),
    ],
)
def test_every_code_is_named(heading: str, codes: Any) -> None:
    text = " ".join(section(heading).split())
    for code in codes:
        assert f"{code.value} {code.name.lower().replace('_', ' ')}" in text, code


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL))
def test_an_example_command_is_a_command(example: str) -> None:
    jsonschema.validate(json.loads(example), payloads.schema("cmd"))
    parse("product", example.encode())


def test_the_acknowledgment_of_the_examples_is_a_command() -> None:
    found = re.findall(r"'(\{\"id\":\"plc-)'.*?'(\"\})'", PAGE)
    assert len(found) == 3
    for beginning, end in found:
        assert parse("ack", f"{beginning}7{end}".encode()).id == "plc-7"


def test_the_examples_use_topics_of_a_station() -> None:
    known = {TOPICS.result, TOPICS.command("ack"), f"{TOPICS.prefix}/#", TOPICS.prefix}
    assert set(re.findall(r"plant/a/cell-3[a-z/#_]*", PAGE)) <= known


@pytest.mark.parametrize(
    "payload",
    [
        payloads.encode(payloads.result(inspection(2**53, Verdict.ERROR, part_id='"' * 99, error="x" * 999))),
        payloads.encode(
            {
                "seq": 2**53,
                **payloads.alarm(AlarmChange(AlarmCode.CAMERA, True, False, 2**31 - 1, 4, "x" * 999)),
            }
        ),
        payloads.reply("i" * 99, "c" * 99, ReplyCode.REFUSED, "x" * 999),
        payloads.state(StationState.FAULT, 2**53, product="p" * 99, bundle="b" * 99, text="x" * 999),
        payloads.handshake(
            {
                "ready": 0,
                "busy": 0,
                "valid": 1,
                "code": 3,
                "acquisition": 2**53,
                "missed": 2**53,
                "part_id": "x",
            }
        ),
        payloads.heartbeat(
            2**53, StationState.FAULT, dict.fromkeys(("total", "ok", "ng", "error"), 2**53), 0
        ),
    ],
    ids=["result", "alarm", "reply", "state", "handshake", "heartbeat"],
)
def test_what_a_plc_decides_on_stands_in_the_first_255_bytes(payload: bytes) -> None:
    beginning = payload[:255].decode(errors="ignore")
    assert re.search(r'"code":\d+[,}]', beginning)
    for key in ("seq", "birth", "count", "acquisition", "mask", "active"):
        assert (f'"{key}":' in payload.decode()) == bool(re.search(rf'"{key}":\d+[,}}]', beginning))


# -- Node-RED ------------------------------------------------------------------------------------


def test_the_flow_is_whole() -> None:
    assert len(NODES) == len(FLOW)
    for node in FLOW:
        for wire in (target for output in node.get("wires", []) for target in output):
            assert wire in NODES
        for key in ("broker", "tls", "z"):
            if node["type"] != "mqtt-broker" or key == "tls":
                assert node.get(key, "station") in NODES
        if node["type"] == "function":
            assert len(node["wires"]) == node["outputs"]
    assert not any(key in json.dumps(FLOW).lower() for key in ("password", "credentials"))


def test_the_flow_listens_to_topics_of_a_station_and_sends_its_commands() -> None:
    heard = {node["topic"]: node["qos"] for node in FLOW if node["type"] == "mqtt in"}
    assert heard == {
        TOPICS.result: "1",
        TOPICS.alarm: "1",
        TOPICS.event: "1",
        TOPICS.state: "1",
        TOPICS.heartbeat: "0",
        TOPICS.reply: "1",
    }
    commands = {node["topic"] for node in FLOW if node["type"] == "inject" and node["topic"]}
    assert commands == set(COMMANDS) - {"result_ack"}


def run(function: str, *messages: dict[str, Any]) -> list[Any]:
    """What a function node gives for each message, with one context as in Node-RED."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    program = f"""
        const kept = new Map();
        const context = {{ get: key => kept.get(key), set: (key, value) => kept.set(key, value) }};
        const work = msg => {{ {NODES[function]["func"]} }};
        console.log(JSON.stringify({json.dumps(messages)}.map(msg => work(msg) ?? null)));
    """
    done = subprocess.run([node, "-e", program], capture_output=True, text=True, check=True)
    answers: list[Any] = json.loads(done.stdout)
    return answers


def message(topic: str, payload: bytes) -> dict[str, Any]:
    return {"topic": topic, "payload": json.loads(payload)}


def result(seq: int, verdict: Verdict) -> dict[str, Any]:
    return message(TOPICS.result, payloads.encode(payloads.result(inspection(seq, verdict))))


def test_the_flow_drops_repeats() -> None:
    answers = run("result_once", *(result(seq, Verdict.OK) for seq in (1, 2, 2, 1, 3)))
    assert [answer and answer["payload"]["seq"] for answer in answers] == [1, 2, None, None, 3]


def test_the_flow_lets_only_code_1_pass() -> None:
    answers = run("pass_or_reject", *(result(1, verdict) for verdict in Verdict))
    assert [passed is not None for passed, _ in answers] == [True, False, False]
    assert [rejected is not None for _, rejected in answers] == [False, True, True]


def test_the_flow_ignores_an_old_last_will() -> None:
    states = [payloads.state(StationState.RUNNING, 7, product="", bundle="", text="")]
    states.append(payloads.state(StationState.OFFLINE, 6, product="", bundle="", text="connection lost"))
    answers = run("newest_state", *(message(TOPICS.state, state) for state in states))
    assert answers[0] is not None and answers[1] is None


def test_the_flows_buttons_are_commands_that_the_station_takes() -> None:
    buttons = [node for node in FLOW if node["type"] == "inject" and node["topic"]]
    pressed = [{"topic": node["topic"], "payload": json.loads(node["payload"])} for node in buttons]
    for button, sent in zip(buttons, run("command", *pressed), strict=True):
        assert sent["topic"] == TOPICS.command(button["topic"])
        assert (sent["qos"], sent["retain"]) == (1, False)
        assert parse(button["topic"], json.dumps(sent["payload"]).encode()).expires > time.time()
