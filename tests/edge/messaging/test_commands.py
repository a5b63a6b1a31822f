from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MessagingError, ProductError
from edge.messaging import ReplyCode, payloads
from edge.messaging.commands import COMMANDS, MAX_WAITING, AnsweredCommand, Command, CommandRouter, parse
from edge.messaging.outbox import Outbox
from edge.messaging.settings import CommandName, MessagingSettings
from tests.edge.messaging.brokers import MOSQUITTO, wait_until
from tests.reliability.fuzz import fuzzed_commands


class Bench:
    """A router with its answers written down and a memory that outlives it."""

    def __init__(self, **options: Any) -> None:
        self.answers: list[dict[str, Any]] = []
        self.done: list[Command] = []
        self.known: dict[str, AnsweredCommand] = {}
        self.now = 1000.0
        self.broken_disk = False
        self.options = options
        self.outcome: Any = "done it"
        self.gate = threading.Event()
        self.gate.set()
        self.start()

    def start(self) -> None:
        handlers = dict.fromkeys(("trigger", "product", "ack", "pause", "resume", "enroll"), self._do)
        self.router = CommandRouter(
            handlers, reply=self._write_down, memory=self, clock=lambda: self.now, **self.options
        )

    def _do(self, command: Command) -> Any:
        self.done.append(command)
        assert self.gate.wait(10), "nobody opened the gate"
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def _write_down(self, answer: bytes) -> None:
        fields = json.loads(answer)
        jsonschema.validate(fields, payloads.schema("cmd_reply"))
        self.answers.append(fields)

    def recall(self, command_id: str) -> AnsweredCommand | None:
        return self.known.get(command_id)

    def remember(self, command_id: str, answered: AnsweredCommand) -> None:
        if self.broken_disk:
            raise MessagingError("The disk takes nothing.")
        self.known[command_id] = answered

    def send(self, name: str, fields: object, *, retained: bool = False, answers: int = 1) -> dict[str, Any]:
        """Offer a command and wait for so many more answers; returns the last."""
        expected = len(self.answers) + answers
        payload = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        self.router.offer(name, payload, retained=retained)
        assert wait_until(lambda: len(self.answers) >= expected, 5)
        return self.answers[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.router.close()


def test_a_command_is_done_and_answered(bench: Bench) -> None:
    answer = bench.send("product", {"id": "a1", "product": "bottle", "expires": 1_000_500})
    assert (answer["id"], answer["cmd"], answer["code"], answer["text"]) == (
        "a1",
        "product",
        ReplyCode.DONE,
        "done it",
    )
    assert bench.done == [Command("product", "a1", 1000.5, product="bottle")]


def test_a_repeat_is_answered_and_not_done_again_also_after_a_restart(bench: Bench) -> None:
    first = bench.send("trigger", {"id": "t"})
    assert bench.send("trigger", {"id": "t"}) == first
    bench.router.close()
    bench.start()
    assert bench.send("trigger", {"id": "t"}) == first
    assert len(bench.done) == 1


@pytest.mark.parametrize(
    "second",
    [("resume", {}), ("product", {"product": "cup"}), ("ack", {"code": 3})],
)
def test_an_id_that_comes_again_with_another_command_is_refused_and_nothing_is_done(
    bench: Bench, second: tuple[str, dict[str, Any]]
) -> None:
    first = {"pause": {}, "product": {"product": "bottle"}, "ack": {}}
    name, fields = second
    before = name if name in first else "pause"
    assert bench.send(before, {"id": "x", **first[before]})["code"] == ReplyCode.DONE
    answer = bench.send(name, {"id": "x", **fields})
    assert answer["code"] == ReplyCode.REFUSED and "another command" in answer["text"]
    assert len(bench.done) == 1


def test_an_id_of_a_command_that_is_still_being_done_is_not_another_ones(bench: Bench) -> None:
    bench.outcome = Future()
    assert bench.send("product", {"id": "x", "product": "b"})["code"] == ReplyCode.ACCEPTED
    assert bench.send("pause", {"id": "x"})["code"] == ReplyCode.REFUSED
    bench.outcome.set_result("now b")
    assert wait_until(lambda: bench.answers[-1]["code"] == ReplyCode.DONE)


def test_a_repeat_may_have_another_expiry(bench: Bench) -> None:
    first = bench.send("trigger", {"id": "t", "expires": 1_001_000})
    assert bench.send("trigger", {"id": "t", "expires": 1_009_000}) == first


def test_what_the_stations_file_does_not_allow_is_refused() -> None:
    bench = Bench(allowed=("pause", "resume"))
    answer = bench.send("enroll", {"id": "e", "count": 5, "product": "plate"})
    assert answer["code"] == ReplyCode.REFUSED and "messaging.commands" in answer["text"]
    assert "enroll" not in bench.send("dance", {"id": "d"})["text"]
    assert bench.done == []
    bench.router.close()


def test_by_default_nobody_can_enroll_over_the_broker() -> None:
    assert set(COMMANDS) - set(MessagingSettings().commands) == {"enroll"}
    assert set(get_args(CommandName)) == set(COMMANDS)


def test_a_command_that_cannot_be_remembered_is_refused_and_not_done(bench: Bench) -> None:
    bench.broken_disk = True
    answer = bench.send("trigger", {"id": "t"})
    assert answer["code"] == ReplyCode.REFUSED and "The disk takes nothing" in answer["text"]
    assert bench.done == []


def test_a_step_of_the_clock_makes_no_accepted_command_late(bench: Bench) -> None:
    bench.send("trigger", {"id": "t", "expires": 1_060_000})
    (command,) = bench.done
    assert command.expires == 1060.0
    assert 0 < command.deadline_s - time.monotonic() <= 60
    assert not command.expired()
    assert replace(command, deadline_s=time.monotonic() - 1).expired()


def test_a_repeat_of_what_a_crash_interrupted_is_not_done_again(bench: Bench) -> None:
    bench.outcome = Future()
    bench.send("product", {"id": "p", "product": "bottle"})
    bench.router.close()  # the future never ends: the station died
    bench.start()
    answer = bench.send("product", {"id": "p", "product": "bottle"})
    assert answer["code"] == ReplyCode.FAILED and "new id" in answer["text"]
    assert len(bench.done) == 1


def test_what_takes_effect_later_is_accepted_and_then_done(bench: Bench) -> None:
    bench.outcome = Future()
    assert bench.send("product", {"id": "p", "product": "b"})["code"] == ReplyCode.ACCEPTED
    assert bench.send("product", {"id": "p", "product": "b"})["code"] == ReplyCode.ACCEPTED  # still under way
    bench.outcome.set_result("now b")
    assert wait_until(lambda: bench.answers[-1]["code"] == ReplyCode.DONE)
    assert bench.answers[-1]["text"] == "now b" and len(bench.done) == 1


@pytest.mark.parametrize(
    ("name", "fields", "retained", "code", "said"),
    [
        ("trigger", {"id": "x", "expires": 999_999}, False, ReplyCode.EXPIRED, "clocks"),
        (
            "trigger",
            {"id": "x"},
            True,
            ReplyCode.REFUSED,
            "retain",
        ),  # the broker kept it: nobody knows since when
        ("dance", {"id": "x"}, False, ReplyCode.UNKNOWN, "trigger"),
        ("trigger/now", {"id": "x"}, False, ReplyCode.UNKNOWN, "trigger"),
        ("product", {"id": "x"}, False, ReplyCode.MALFORMED, "'product' is missing"),
        ("enroll", {"id": "x", "count": 0}, False, ReplyCode.MALFORMED, "'count' is missing"),
        ("trigger", {"id": "x", "force": True}, False, ReplyCode.MALFORMED, "force"),
        ("trigger", {"id": "x", "expires": "soon"}, False, ReplyCode.MALFORMED, "expires"),
        ("trigger", {"id": "x", "expires": 0}, False, ReplyCode.MALFORMED, "expires"),  # not for ever
        ("trigger", {"id": "x", "expires": 10**400}, False, ReplyCode.MALFORMED, "expires"),
        ("result_ack", {"id": "x", "acquisition": 10**400}, False, ReplyCode.MALFORMED, "acquisition"),
        ("trigger", {"id": "x", "part_id": "a\x00b"}, False, ReplyCode.MALFORMED, "part_id"),
        ("ack", {"id": "x", "code": True}, False, ReplyCode.MALFORMED, "code"),  # a bool is no number here
    ],
)
def test_what_must_not_be_done_is_not_done_and_told_why(
    bench: Bench, name: str, fields: dict[str, object], retained: bool, code: ReplyCode, said: str
) -> None:
    answer = bench.send(name, fields, retained=retained)
    assert answer["code"] == code and said in answer["text"]
    assert bench.done == []


def test_where_the_broker_keeps_commands_each_needs_an_expiry() -> None:
    bench = Bench(needs_expiry=True)
    assert bench.send("pause", {"id": "1"})["code"] == ReplyCode.REFUSED
    assert bench.send("pause", {"id": "2", "expires": 2_000_000})["code"] == ReplyCode.DONE
    bench.router.close()


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (
            ProductError("There is no product 'cup'.", "Enroll it first."),
            ReplyCode.REFUSED,
            "Enroll it first.",
        ),
        (ZeroDivisionError("oops"), ReplyCode.FAILED, "ZeroDivisionError"),  # a mistake of ours stops nothing
    ],
)
def test_a_handler_that_raises_refuses_or_fails(
    bench: Bench, outcome: Exception, code: ReplyCode, said: str
) -> None:
    bench.outcome = outcome
    answer = bench.send("product", {"id": "x", "product": "cup"})
    assert answer["code"] == code and said in answer["text"]
    bench.outcome = "fine"
    assert bench.send("pause", {"id": "y"})["code"] == ReplyCode.DONE


def test_more_than_can_wait_is_counted(bench: Bench) -> None:
    gate = threading.Event()
    bench.gate = gate
    for n in range(MAX_WAITING + 50):
        bench.router.offer("pause", json.dumps({"id": str(n)}).encode())
    assert bench.router.counts.overflowed == 50
    gate.set()
    assert wait_until(lambda: len(bench.answers) == MAX_WAITING)


@given(
    st.binary(max_size=600)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps({"id": "i", "count": value}).encode()
    )
)
def test_any_payload_is_a_command_or_one_clear_error(payload: bytes) -> None:
    try:
        command = parse("pause", payload)
    except MessagingError as error:
        assert len(error.message) < 300
    else:
        assert 1 <= len(command.id) <= 64


@pytest.mark.parametrize("depth", [100, 255])
def test_deeply_nested_json_is_refused(depth: int) -> None:
    bench = Bench()
    bench.router.offer("pause", b"[" * depth + b"]" * depth)
    bench.router.offer("pause", b'{"id":"n","count":' + b"[" * depth * 2)
    assert wait_until(lambda: bench.router.counts.unanswerable == 2)
    bench.router.close()
    assert bench.done == []


def test_random_payloads_do_nothing_and_each_is_answered_or_counted(tmp_path: Path) -> None:
    """A hundred thousand of them: ``python -m tests.reliability --only fuzzed_commands``."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    figures = fuzzed_commands(tmp_path, 2000)
    assert figures["answered"] + figures["unanswerable"] == 2000
    assert figures["answered"] > 100 < figures["unanswerable"]


def test_answers_are_remembered_on_disk_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.messaging.outbox.REMEMBERED_COMMANDS", 3)
    outbox = Outbox(tmp_path / "outbox.db")
    for n in range(5):
        outbox.remember_command(str(n), AnsweredCommand("trigger", b"answer %d" % n))
    outbox.remember_command("4", AnsweredCommand("trigger", b"final"))
    for _ in range(2):
        answers = [outbox.command_answer(str(n)) for n in range(5)]
        assert answers[:2] == [None, None]
        assert answers[3:] == [AnsweredCommand("trigger", b"answer 3"), AnsweredCommand("trigger", b"final")]
        outbox.close()
        outbox = Outbox(tmp_path / "outbox.db")
