from __future__ import annotations

import json
import math
from enum import IntEnum
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import MessagingError
from edge.inspection import Inspection, Region, Verdict
from edge.messaging import AlarmCode, EventCode, ReplyCode, StationState, payloads
from edge.messaging.alarms import AlarmChange
from tests.edge.messaging.brokers import inspection

VALIDATORS = {
    name: jsonschema.Draft202012Validator(payloads.schema(name))
    for name in ("state", "result", "event", "alarm", "heartbeat", "cmd", "cmd_reply")
}
# Short and odd, or long: hypothesis alone rarely makes a long text.
texts = st.text(max_size=80) | st.builds(str.__mul__, st.text(min_size=1, max_size=4), st.integers(1, 700))
numbers = st.none() | st.floats()
seqs = st.integers(1, 2**63 - 1)
pixels = st.integers(0, 2**31)


@st.composite
def inspections(draw: st.DrawFn) -> Inspection:
    regions = draw(
        st.lists(st.builds(Region, pixels, pixels, pixels, pixels, pixels, st.floats()), max_size=3)
    )
    return Inspection(
        id=draw(texts),
        seq=draw(seqs),
        station=draw(texts),
        product=draw(texts),
        part_id=draw(texts),
        camera=draw(texts),
        captured_at=draw(texts),
        verdict=draw(st.sampled_from(Verdict)),
        review=draw(st.booleans()),
        p_anomaly=draw(st.none() | st.floats(0, 1)),
        score=draw(numbers),
        p_value=draw(st.none() | st.floats(0, 1)),
        location=draw(texts),
        regions=tuple(regions),
        words=draw(texts),
        error=draw(texts),
        latency_ms=draw(st.dictionaries(st.just("total"), st.floats(min_value=0) | st.just(math.nan))),
    )


def check(name: str, raw: bytes) -> dict[str, Any]:
    """Every payload: under 512 bytes, valid UTF-8 and JSON, flat, one line, as its schema says."""
    assert len(raw) < 512
    fields: dict[str, Any] = json.loads(
        raw.decode("utf-8"), parse_constant=lambda constant: pytest.fail(constant)
    )
    VALIDATORS[name].validate(fields)
    assert all(isinstance(value, str | int | float) for value in fields.values())
    assert b"\n" not in raw and b"\\u0" not in raw
    return fields


@settings(deadline=None)
@given(inspections())
def test_any_inspection_is_a_result_that_a_plc_can_read(one: Inspection) -> None:
    fields = check("result", payloads.encode(payloads.result(one)))
    assert fields["code"] == one.code
    assert fields["seq"] == one.seq


@settings(deadline=None)
@given(texts, texts, texts, seqs, st.sampled_from(EventCode), st.sampled_from(AlarmCode), st.booleans())
def test_any_text_fits_into_events_alarms_state_and_replies(
    text: str, product: str, part_id: str, seq: int, event: EventCode, alarm: AlarmCode, flag: bool
) -> None:
    check(
        "event",
        payloads.encode({"seq": seq, **payloads.event(event, text, product=product, part_id=part_id)}),
    )
    fields = payloads.alarm(AlarmChange(alarm, flag, not flag, 2**31 - 1, 2**31 - 1, text))
    check("alarm", payloads.encode({"seq": seq, **fields}))
    check(
        "state",
        payloads.state(StationState.RUNNING, seq, product=product, bundle=part_id, text=text, engine=text),
    )
    check("cmd_reply", payloads.reply(text, product, ReplyCode.MALFORMED, part_id))
    check(
        "heartbeat",
        payloads.heartbeat(seq, StationState.RUNNING, dict.fromkeys(("total", "ok", "ng", "error"), seq), 1),
    )


def test_a_usual_result_loses_nothing() -> None:
    words = "Yes, there is an anomaly in the image, at the top left of the image: a deep scratch."
    fields = check(
        "result",
        payloads.encode(
            payloads.result(
                inspection(
                    7,
                    Verdict.NG,
                    words=words,
                    p_anomaly=0.987654321,
                    score=1.25,
                    p_value=0.2,
                    location="top left",
                    regions=(Region(1, 2, 30, 40, 500, 1.5), Region(9, 9, 9, 9, 9, 1.1)),
                    latency_ms={"graph": 10.0, "total": 12.34},
                )
            )
        ),
    )
    assert fields["words"] == words
    assert (fields["x"], fields["y"], fields["w"], fields["h"], fields["regions"]) == (1, 2, 30, 40, 2)
    assert (fields["p_anomaly"], fields["score"], fields["p_value"], fields["ms"]) == (
        0.987654,
        1.25,
        0.2,
        12.3,
    )


def test_long_words_give_way_first_and_end_in_an_ellipsis() -> None:
    fields = json.loads(payloads.encode(payloads.result(inspection(1, words="ä" * 600, error="short"))))
    assert fields["words"].endswith("ä…") and fields["error"] == "short" and fields["part_id"] == "part-1"


@given(st.text(max_size=100), st.integers(0, 60))
def test_a_shortened_text_fits_and_is_a_beginning(text: str, room: int) -> None:
    short = payloads.shorten(payloads.clean(text), room)
    assert len(json.dumps(short, ensure_ascii=False).encode()) - 2 <= room
    assert payloads.clean(text).startswith(short.removesuffix("…"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None])
def test_what_is_no_number_is_minus_one(value: float | None) -> None:
    assert json.loads(payloads.encode({"score": value})) == {"score": -1}


def test_fields_that_cannot_fit_are_an_error_and_not_a_cut_json() -> None:
    with pytest.raises(MessagingError, match="does not fit"):
        payloads.encode({f"unknown_{n}": n for n in range(100)})


@pytest.mark.parametrize("name", list(VALIDATORS))
def test_every_schema_is_a_schema_whose_fields_are_described(name: str) -> None:
    schema = payloads.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(field["description"].endswith(".") for field in schema["properties"].values())


@pytest.mark.parametrize(
    ("name", "codes"),
    [("event", EventCode), ("alarm", AlarmCode), ("cmd_reply", ReplyCode), ("state", StationState)],
)
def test_the_schemas_name_every_code(name: str, codes: type[IntEnum]) -> None:
    description = payloads.schema(name)["properties"]["code"]["description"]
    for code in codes:
        assert f"{code.value} {code.name.lower().replace('_', ' ')}" in description
