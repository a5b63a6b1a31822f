from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MessagingError
from edge.messaging import Topics
from edge.messaging.topics import MAX_LEVEL_CHARS, check_level, suggest_level


def test_every_topic_lies_under_site_line_station() -> None:
    topics = Topics("plant", "a", "cell-3")
    names = [
        topics.state,
        topics.result,
        topics.event,
        topics.alarm,
        topics.heartbeat,
        topics.reply,
        topics.commands,
    ]
    assert names == [
        f"plant/a/cell-3/{name}"
        for name in ("state", "result", "event", "alarm", "heartbeat", "cmd/reply", "cmd/#")
    ]
    assert topics.command("trigger") == "plant/a/cell-3/cmd/trigger"


@pytest.mark.parametrize(
    ("level", "suggestion"),
    [
        ("", "unnamed"),  # an empty level is legal MQTT and a trap for every filter
        ("a/b", "a_b"),  # would be two levels
        ("a+b", "a_b"),  # wildcards are forbidden in names
        ("#", "unnamed"),
        ("nul\0", "nul"),
        ("$SYS", "SYS"),  # brokers hide topics that begin with a dollar
        ("Halle 3", "Halle_3"),  # spaces break ACL files
        ("Prüfung", "Pruefung"),  # small PLC clients take ASCII alone
        ("検査", "unnamed"),
        (".hidden", "hidden"),
        ("\ud800", "unnamed"),  # half a surrogate pair cannot even be sent
        ("x" * (MAX_LEVEL_CHARS + 1), "x" * MAX_LEVEL_CHARS),
        ("x" * 65_536, "x" * MAX_LEVEL_CHARS),
    ],
)
def test_a_name_that_cannot_be_a_level_is_refused_with_one_that_can(level: str, suggestion: str) -> None:
    with pytest.raises(MessagingError) as refusal:
        check_level(level, "station")
    assert repr(suggestion) in refusal.value.remedy
    assert "station" in refusal.value.message
    assert len(str(refusal.value)) < 400


@given(st.text(max_size=200))
def test_any_text_is_a_safe_level_or_gets_a_suggestion_that_is_one(text: str) -> None:
    level = suggest_level(text)
    try:
        level = check_level(text)
    except MessagingError:
        assert check_level(level) == level
    topics = Topics(level, level, level)
    for topic in (topics.state, topics.command(level)):
        assert topic.isascii() and topic.isprintable()
        assert not set(topic) & set("+# $") and "//" not in topic
        assert len(topic) <= 255


def test_the_command_of_a_topic_is_what_follows_cmd() -> None:
    topics = Topics("plant", "a", "cell-3")
    assert topics.command_name("plant/a/cell-3/cmd/trigger") == "trigger"
    assert topics.command_name("plant/a/cell-3/cmd/reply") is None  # our own answers
    assert topics.command_name("plant/a/cell-4/cmd/trigger") is None
