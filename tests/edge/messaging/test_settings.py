from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from edge.messaging import BrokerSettings, MessagingSettings, Publisher, TlsSettings
from edge.messaging.settings import OutboxSettings


def test_without_a_section_nothing_is_published_and_nothing_fails(tmp_path: Path) -> None:
    with Publisher(MessagingSettings(), tmp_path) as publisher:
        publisher.publish_inspections([])
        publisher.heartbeat()
        assert publisher.status().healthy
        assert str(publisher.status()) == "disabled"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"brokers": [{}]}, "host"),  # no host
        ({"brokers": [{"host": "b", "port": 0}]}, "port"),
        ({"brokers": [{"host": "b", "password_file": "p"}]}, "without 'username'"),
        (
            {"brokers": [{"host": "b", "username": "u", "password_file": "p", "password_env": "P"}]},
            "not both",
        ),
        ({"brokers": [{"host": "b", "password": "secret"}]}, "password"),  # a password is never in the file
        ({"brokers": [{"host": "b", "tls": {"key": "k.pem"}}]}, "certificate"),
        ({"brokers": [{"host": "b", "tls": {"minimum_version": "1.0"}}]}, "minimum_version"),
        ({"line": "line 1"}, "line_1"),  # the suggestion is in the error
        ({"station": "a/b"}, "a_b"),
        ({"client_id": "way-too-long-for-a-3.1.1-broker"}, "client_id"),
        ({"retry_min_s": 60, "retry_max_s": 30}, "retry_max_s"),
        ({"protcol": "5"}, "protcol"),  # misspelt
    ],
)
def test_a_bad_section_is_refused_by_name(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MessagingSettings.model_validate(section)


def test_ports_follow_tls() -> None:
    assert BrokerSettings(host="b").address == ("b", 1883)
    assert BrokerSettings(host="b", tls=TlsSettings()).address == ("b", 8883)
    assert BrokerSettings(host="b", port=99, tls=TlsSettings()).address == ("b", 99)


def test_file_names_are_taken_from_the_station_files_folder(tmp_path: Path) -> None:
    section = MessagingSettings.model_validate(
        {
            "brokers": [
                {
                    "host": "b",
                    "username": "u",
                    "password_file": "p",
                    "tls": {"ca": "/etc/ca.pem", "key": "k", "certificate": "c"},
                }
            ]
        }
    )
    broker = section.resolved(tmp_path).brokers[0]
    assert broker.tls is not None
    assert broker.password_file == tmp_path / "p"
    assert broker.tls.ca == Path("/etc/ca.pem")
    assert (broker.tls.key, broker.tls.certificate) == (tmp_path / "k", tmp_path / "c")


@pytest.mark.parametrize("model", [MessagingSettings, BrokerSettings, TlsSettings, OutboxSettings])
def test_every_setting_has_a_title_and_a_sentence(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.title and field.description and field.description.endswith("."), name


@pytest.mark.parametrize(
    "host",
    [
        "broker",
        "broker-1.plant.local",
        "my_broker",
        "10.0.0.1",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "maschine-ü",
    ],
)
def test_a_name_or_an_address_is_a_host(host: str) -> None:
    assert BrokerSettings(host=host).host == host


LOGIN = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).map(lambda text: f"q7Z{text}")


@settings(deadline=None)
@given(secret=LOGIN, scheme=st.sampled_from(["mqtt://", "mqtts://", "ssl://", "tcp://", ""]))
def test_a_login_in_the_host_is_refused_and_told_to_nobody(secret: str, scheme: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MessagingSettings.model_validate({"brokers": [{"host": f"{scheme}plc:{secret}@broker"}]})
    assert "q7Z" not in f"{caught.value}{caught.value!r}"
    assert "username" in str(caught.value)


@pytest.mark.parametrize(
    "host", ["mqtt://broker", "broker:1883", "broker/path", " broker", "broker\n", "[::1]", "a b"]
)
def test_a_url_is_no_host(host: str) -> None:
    with pytest.raises(ValidationError, match="alone"):
        BrokerSettings(host=host)
