"""Sparkplug B, checked against Google's protobuf, which knows nothing of our encoder."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from edge.errors import MessagingError
from edge.inspection import Verdict
from edge.messaging import AlarmCode, LinkState, Publisher
from edge.messaging.sparkplug_codec import DataType, Metric, Payload, decode, encode
from tests.edge.messaging.brokers import Mosquitto, inspection, wait_until

Make = Callable[..., Publisher]


def _independent() -> Any:
    """The message class that protobuf makes from the specification's field numbers."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="t", syntax="proto2")
    metric, payload = file.message_type.add(name="Metric"), file.message_type.add(name="Payload")
    for name, number, kind in (
        ("name", 1, kinds.TYPE_STRING),
        ("alias", 2, kinds.TYPE_UINT64),
        ("timestamp", 3, kinds.TYPE_UINT64),
        ("datatype", 4, kinds.TYPE_UINT32),
        ("is_historical", 5, kinds.TYPE_BOOL),
        ("is_transient", 6, kinds.TYPE_BOOL),
        ("is_null", 7, kinds.TYPE_BOOL),
        ("int_value", 10, kinds.TYPE_UINT32),
        ("long_value", 11, kinds.TYPE_UINT64),
        ("float_value", 12, kinds.TYPE_FLOAT),
        ("double_value", 13, kinds.TYPE_DOUBLE),
        ("boolean_value", 14, kinds.TYPE_BOOL),
        ("string_value", 15, kinds.TYPE_STRING),
        ("bytes_value", 16, kinds.TYPE_BYTES),
    ):
        metric.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    payload.field.add(name="timestamp", number=1, type=kinds.TYPE_UINT64, label=kinds.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics", number=2, type=kinds.TYPE_MESSAGE, type_name=".t.Metric", label=kinds.LABEL_REPEATED
    )
    payload.field.add(name="seq", number=3, type=kinds.TYPE_UINT64, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Payload"))


def read(raw: bytes) -> tuple[Any, dict[str, Any]]:
    """A payload and its metrics' values by name, as the independent decoder sees them."""
    payload = _independent()()
    assert payload.ParseFromString(raw) == len(raw)
    values = {}
    for metric in payload.metrics:
        ((_, value),) = [
            (field.name, content)
            for field, content in metric.ListFields()
            if field.number in (7, *range(10, 17))
        ]
        values[metric.name] = None if metric.is_null else value
    return payload, values


def _metrics() -> st.SearchStrategy[Metric]:
    by_type = {
        DataType.INT32: st.integers(-(2**31), 2**31 - 1),
        DataType.INT64: st.integers(-(2**63), 2**63 - 1),
        DataType.UINT64: st.integers(0, 2**64 - 1),
        DataType.UINT32: st.integers(0, 2**32 - 1),
        DataType.DATETIME: st.integers(0, 2**63),
        DataType.BOOLEAN: st.booleans(),
        DataType.DOUBLE: st.floats(allow_nan=False),
        DataType.FLOAT: st.floats(allow_nan=False, width=32),
        DataType.STRING: st.text(),
    }
    return st.sampled_from(sorted(by_type)).flatmap(
        lambda kind: st.builds(
            Metric, st.text(min_size=1), st.just(kind), st.none() | by_type[kind], st.integers(0, 2**63)
        )
    )


@given(
    st.lists(_metrics(), max_size=5, unique_by=lambda metric: metric.name), st.none() | st.integers(0, 255)
)
def test_protobuf_reads_what_we_write_and_so_do_we(metrics: list[Metric], seq: int | None) -> None:
    payload = Payload(1_700_000_000_000, tuple(metrics), seq)
    raw = encode(payload)
    assert decode(raw) == payload
    theirs, values = read(raw)
    assert theirs.timestamp == payload.timestamp_ms
    assert theirs.HasField("seq") == (seq is not None) and theirs.seq == (seq or 0)
    for metric in metrics:
        bits = {DataType.INT32: 32, DataType.INT64: 64}.get(metric.type)
        expected = metric.value
        if bits and isinstance(expected, int):
            expected %= 1 << bits  # the specification's unsigned field
        assert values[metric.name] == expected
    assert encode(payload) == theirs.SerializeToString() or any(
        metric.timestamp_ms == 0 for metric in metrics
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_one_clear_error(raw: bytes) -> None:
    try:
        decode(raw)
    except MessagingError as error:
        assert "Sparkplug" in error.message


class Host:
    """A Sparkplug host application: hears everything, in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.on_connect = lambda client, *_: client.subscribe("spBv1.0/#", 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _, __, message: self.heard.append(
            (message.topic, bytes(message.payload))
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(10)

    def _write_down(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        self.heard.append((message.topic, bytes(message.payload)))

    def kinds(self) -> list[str]:
        return [topic.split("/")[2] for topic, _ in self.heard]

    def sees(self, kind: str, count: int) -> bool:
        """Whether so many of a kind have come in time."""
        return wait_until(lambda: self.kinds().count(kind) == count)

    def last(self, kind: str) -> tuple[Any, dict[str, Any]]:
        return read([raw for topic, raw in self.heard if topic.split("/")[2] == kind][-1])

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def host(mosquitto: Mosquitto) -> Iterator[Host]:
    mosquitto.start()
    made = Host(mosquitto.port)
    yield made
    made.close()


def test_a_node_is_born_shows_its_parts_and_dies(mosquitto: Mosquitto, host: Host, publisher: Make) -> None:
    station = publisher(mosquitto.settings(), sparkplug={"enabled": True})
    assert wait_until(lambda: host.kinds() == ["NBIRTH", "DBIRTH"])
    assert [topic for topic, _ in host.heard] == [
        "spBv1.0/plant-a/NBIRTH/cell-3",
        "spBv1.0/plant-a/DBIRTH/cell-3/inspection",
    ]
    birth, values = host.last("NBIRTH")
    assert birth.seq == 0 and values == {"bdSeq": 0, "Node Control/Rebirth": False}
    station.publish_inspections(
        [inspection(1, Verdict.NG, score=1.5, p_anomaly=0.75, words="a scratch"), inspection(2)]
    )
    station.alarm(AlarmCode.CAMERA, active=True)
    assert wait_until(lambda: host.kinds().count("DDATA") == 3)
    firsts = [read(raw)[1] for topic, raw in host.heard if "/DDATA/" in topic]
    assert firsts[0]["Inspection/Verdict"] == "ng" and firsts[0]["Inspection/Score"] == 1.5
    assert firsts[0]["Counters/NG"] == 1 and firsts[1]["Counters/OK"] == 1
    assert firsts[1]["Inspection/Score"] is None
    assert firsts[2]["Alarms/Active"] == 1 << (AlarmCode.CAMERA - 1)
    _, born = host.last("DBIRTH")
    assert all(set(values) <= set(born) for values in firsts)  # no metric that the birth did not name
    assert [read(raw)[0].seq for _, raw in host.heard] == [0, 1, 2, 3, 4]
    assert station.status().healthy and station.status().sparkplug.state is LinkState.CONNECTED
    station.stop()
    assert wait_until(lambda: host.kinds()[-1] == "NDEATH")
    death, values = host.last("NDEATH")
    assert values == {"bdSeq": 0} and not death.HasField("seq")


def test_a_rebirth_is_given_when_asked_for_with_all_that_is_known(
    mosquitto: Mosquitto, host: Host, publisher: Make
) -> None:
    station = publisher(mosquitto.settings(), sparkplug={"enabled": True})
    station.publish_inspections([inspection(41, Verdict.NG)])
    assert wait_until(lambda: "DBIRTH" in host.kinds())
    before = len(host.heard)
    host.client.publish("spBv1.0/plant-a/NCMD/cell-3", b"\xff\xff nonsense")
    ask = Payload(1, (Metric("Node Control/Rebirth", DataType.BOOLEAN, True),))
    host.client.publish("spBv1.0/plant-a/NCMD/cell-3", encode(ask))
    assert wait_until(lambda: host.kinds()[before:].count("DBIRTH") == 1)
    birth, _ = host.last("NBIRTH")
    _, values = host.last("DBIRTH")
    assert birth.seq == 0 and values["Inspection/Sequence"] == 41 and values["Inspection/Code"] == 2


def test_the_brokers_death_notice_carries_the_number_of_the_birth(
    mosquitto: Mosquitto, host: Host, publisher: Make
) -> None:
    station = publisher(mosquitto.settings(), sparkplug={"enabled": True})
    assert wait_until(lambda: "DBIRTH" in host.kinds())
    node = station._sparkplug
    assert node is not None
    for number in (0, 1):
        assert wait_until(lambda: node._session is not None)
        assert node._session is not None
        link = node._session._client.socket()
        assert isinstance(link, socket.socket)
        link.shutdown(socket.SHUT_RDWR)  # the link is cut: the broker publishes the will
        assert host.sees("NDEATH", number + 1)
        assert host.last("NDEATH")[1] == {"bdSeq": number}
        assert host.sees("DBIRTH", number + 2)
        assert host.last("NBIRTH")[1]["bdSeq"] == number + 1
