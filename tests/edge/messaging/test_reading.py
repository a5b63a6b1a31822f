"""Any message is one line; ours are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.inspection import Verdict
from edge.messaging import AlarmCode, EventCode, ReplyCode, StationState, payloads
from edge.messaging.alarms import AlarmChange
from edge.messaging.reading import readable
from edge.messaging.sparkplug_codec import DataType, Metric, Payload
from edge.messaging.sparkplug_codec import encode as encode_sparkplug
from tests.edge.messaging.brokers import inspection

STATION = "plant/a/cell-3"


@pytest.mark.parametrize(
    ("topic", "payload", "line"),
    [
        (
            "state",
            payloads.state(StationState.RUNNING, 7, product="bottle", bundle="b-1", text=""),
            "RUNNING · bottle · b-1 · birth 7",
        ),
        (
            "result",
            payloads.encode(
                payloads.result(inspection(3, Verdict.NG, score=1.25, location="top left", review=True))
            ),
            "NG · part-3 · bottle · score 1.25 · top left · look at it",
        ),
        (
            "result",
            payloads.encode(payloads.result(inspection(3, Verdict.ERROR, error="Camera top is lost."))),
            "ERROR · part-3 · bottle · Camera top is lost.",
        ),
        (
            "event",
            payloads.encode(
                {"seq": 1, **payloads.event(EventCode.PAUSED, "why", product="bottle", part_id="")}
            ),
            "paused · bottle · why",
        ),
        (
            "alarm",
            payloads.encode(
                {"seq": 1, **payloads.alarm(AlarmChange(AlarmCode.CAMERA, True, False, 0b101, 4, "lost"))}
            ),
            "camera active, not acknowledged · lost · standing: ng_series, camera",
        ),
        (
            "heartbeat",
            payloads.heartbeat(9, StationState.RUNNING, {"total": 3, "ok": 1, "ng": 1, "error": 1}, 4),
            "beat 9 · 3 parts: 1 ok, 1 ng, 1 errors · 4 waiting",
        ),
        (
            "cmd/reply",
            payloads.reply("plc-1", "product", ReplyCode.REFUSED, "There is no product."),
            "product plc-1: refused · There is no product.",
        ),
        ("cmd/product", b'{"id":"plc-1","product":"cup"}', "id=plc-1 product=cup"),
        ("state", b'{"birth":1}', "birth=1"),  # what another program may have put there
        ("cmd/pause", b"", "(empty)"),
        ("cmd/pause", b"\xff\xfe", "(2 bytes that are no text)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "payload",  # which holds the time of day
)
def test_a_message_says_in_words_what_its_fields_say(topic: str, payload: bytes, line: str) -> None:
    assert readable(f"{STATION}/{topic}", payload) == line


def test_sparkplug_is_read_too() -> None:
    payload = encode_sparkplug(Payload(1, (Metric("Inspection/Code", DataType.INT32, 2),), 5))
    assert readable("spBv1.0/plant/DDATA/cell-3/inspection", payload) == "seq 5: Inspection/Code=2"


@given(
    st.sampled_from(["state", "result", "event", "alarm", "heartbeat", "handshake", "cmd/reply", "x"]),
    st.binary(max_size=300)
    | st.dictionaries(
        st.sampled_from(["seq", "code", "state", "mask", "score", "ms", "active", "alarm", "x"]),
        st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2),
    ).map(lambda fields: str(fields).replace("'", '"').encode("utf-8", "replace")),
)
def test_any_bytes_are_one_line(name: str, payload: bytes) -> None:
    for topic in (f"{STATION}/{name}", f"spBv1.0/{name}"):
        line = readable(topic, payload)
        assert line and "\n" not in line and len(line) <= 401
