"""A station whose language model decides: verdicts, words behind them, and a worker that dies."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.config import StationConfig
from edge.errors import BundleError
from edge.inspection import Inspection, Verdict
from edge.messaging import EmbeddedBroker
from edge.station.judging import Judged
from edge.station.opening import opened_station
from edge.station.products import Products
from tests.edge.messaging.brokers import Subscriber, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.test_pipeline import recorded, seqs

MakeConfig = Callable[..., StationConfig]


def test_an_ng_gets_its_sentence_after_its_verdict(speaking_station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=2, stained=2)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        brokers = [{"host": broker.host, "port": broker.port}]
        config = speaking_station(
            tmp_path / "parts", camera={"rate_hz": 1}, messaging={"brokers": brokers, "heartbeat_s": 0.2}
        )
        seen: list[Judged] = []
        heard: list[Inspection] = []
        with opened_station(config, [seen.append], [heard.append]) as opened:
            opened.run()
        assert wait_until(lambda: len(plc.of("result")) >= 4)
        assert wait_until(lambda: any(event["event"] == "stopped" for event in plc.of("event")))
        results, events = plc.of("result"), plc.of("event")
        deciders = {state["decided_by"] for state in plc.of("state") if state["state"] == "running"}
    kept = recorded(config)
    assert [inspection.verdict.value for inspection in kept] == ["ok", "ok", "ng", "ng"]
    assert [inspection.words[:3] for inspection in kept] == ["", "", "Yes", "Yes"]
    assert all(inspection.latency_ms["language"] > 0 for inspection in kept)
    # The verdict did not wait for the words, and what was published of it is not changed by them.
    assert [judged.inspection.words for judged in seen] == [""] * 4
    assert [result["words"] for result in results] == [""] * 4
    assert heard == kept[2:]
    told = [event for event in events if event["event"] == "words"]
    assert [(event["code"], event["result_seq"], event["part_id"]) for event in told] == [
        (16, 3, "part-002"),
        (16, 4, "part-003"),
    ]
    assert [event["text"] for event in told] == [inspection.words for inspection in heard]
    assert {event["result_seq"] for event in events if event["event"] != "words"} == {-1}
    assert deciders == {"language"}


def test_a_killed_language_worker_loses_no_part_and_is_told_of_once(
    speaking_station: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_parts(tmp_path / "parts", good=9, stained=3)
    # On a busy machine the worker takes long to come back, and the line would have ended by then.
    config = speaking_station(
        tmp_path / "parts", language={"words": "all", "threads": 1}, verdict={"timeout_s": 60}
    )
    killed: list[int] = []

    def kill(judged: Judged) -> None:
        decider = opened._rooms.judge.decider
        if judged.inspection.seq == 4 and decider is not None and decider.worker.pid is not None:
            killed.append(decider.worker.pid)
            os.kill(decider.worker.pid, signal.SIGKILL)

    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        address = {"brokers": (broker.settings(),)}
        config = config.model_copy(update={"messaging": config.messaging.model_copy(update=address)})
        with caplog.at_level(logging.INFO, "edge"), opened_station(config, [kill]) as opened:
            counters = opened.run()
        assert wait_until(lambda: any(event["event"] == "stopped" for event in plc.of("event")))
        restarted = [event for event in plc.of("event") if event["event"] == "component_restarted"]
        texts = {state["text"] for state in plc.of("state")}
    assert len(killed) == 1
    kept = recorded(config)
    assert seqs(kept) == list(range(1, 13))
    assert [inspection.verdict for inspection in kept] == [Verdict.OK] * 9 + [Verdict.NG] * 3
    assert (counters.total, counters.error) == (12, 0)
    assert len(restarted) == 1
    assert any("language" in text for text in texts)
    told = [record.message for record in caplog.records if record.message.startswith("language: ")]
    assert len(told) == 2 and "degraded" in told[0] and told[1] == "language: ok again"


def test_a_model_that_is_never_in_time_makes_every_part_an_error_or_leaves_it_to_the_score(
    speaking_station: MakeConfig, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts", good=1, stained=1)
    verdict = {"timeout_s": 0.001, "on_language_error": "error"}
    config = speaking_station(tmp_path / "parts", verdict=verdict)
    with opened_station(config) as opened:
        assert opened.run().error == 2
        assert opened.health.conditions()["language"].detail
    late = recorded(config)
    assert all("time" in inspection.error or "within" in inspection.error for inspection in late)
    assert all(inspection.score is not None and inspection.p_anomaly is None for inspection in late)

    verdict = {"timeout_s": 0.001}  # the default: the score stands in
    config = config.model_copy(
        update={"verdict": type(config.verdict).model_validate(verdict), "data_dir": tmp_path / "other"}
    )
    shutil.copytree(tmp_path / "data" / "products", tmp_path / "other" / "products")
    with opened_station(config) as opened:
        opened.run()
    kept = recorded(config)
    assert [inspection.verdict.value for inspection in kept] == ["ok", "ng"]
    assert all(inspection.review and not inspection.words for inspection in kept)


def test_a_product_change_changes_the_question(speaking_station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=1)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        config = speaking_station(
            tmp_path / "parts",
            camera={"loop": True, "rate_hz": 5},
            messaging={"brokers": [{"host": broker.host, "port": broker.port}]},
        )
        folder = Products(config.data_dir).folder
        shutil.copytree(folder / "plate", folder / "ring")
        file = folder / "ring" / "product.json"
        file.write_text(file.read_text().replace("a bright disc on a dark plate", "a steel ring, brushed"))

        def change() -> None:
            assert wait_until(lambda: plc.of("result"))
            plc.client.publish("plant/a/cell-3/cmd/product", '{"id":"1","product":"ring"}', 1)
            assert wait_until(lambda: any(result["product"] == "ring" for result in plc.of("result")))

        with opened_station(config) as opened, ThreadPoolExecutor(1) as plc_side:
            changing = plc_side.submit(change)
            changing.add_done_callback(lambda _: opened.stop())
            opened.run()
            changing.result()
    # The same part, the same map: only the words around it differ.
    by_product = {inspection.product: inspection.p_anomaly for inspection in recorded(config)}
    assert set(by_product) == {"plate", "ring"}
    assert by_product["plate"] != by_product["ring"]


def test_a_bundle_that_only_sees_cannot_be_decided_by_language(station: MakeConfig, tmp_path: Path) -> None:
    config = station(tmp_path / "parts", verdict={"decided_by": "language"})
    with pytest.raises(BundleError, match="no language half"), opened_station(config):
        pass
