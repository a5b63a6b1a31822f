"""The language half never stops a line: without it the calibrated score decides, and everybody hears why."""

from __future__ import annotations

import itertools
import logging
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.config import StationConfig
from edge.inspection import Verdict
from edge.language import LanguageWorker
from edge.messaging import EmbeddedBroker
from edge.station.health import Level
from edge.station.judging import Judged
from edge.station.opening import opened_station
from edge.station.pipeline import Station
from edge.station.products import Products
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from tests.edge.messaging.brokers import Subscriber, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.conftest import PRODUCT, MakeStation
from tests.edge.station.test_pipeline import recorded, seqs

pytestmark = pytest.mark.usefixtures("speaking_enrolled", "own_memory_of_crashes")

MakeConfig = Callable[..., StationConfig]

ENOUGH_S = 60.0  # A machine under load; no test waits that long where all is well.


@pytest.fixture
def plc() -> Iterator[Subscriber]:
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        plc.broker = {"host": broker.host, "port": broker.port}  # type: ignore[attr-defined]
        yield plc


def published(plc: Subscriber) -> dict[str, object]:
    """The section of the station file for this PLC's broker."""
    return {"brokers": [plc.broker]}  # type: ignore[attr-defined]


def worker_of(station: Station) -> LanguageWorker:
    decider = station._rooms.judge.decider
    assert decider is not None
    return decider.worker


@dataclass(frozen=True)
class Cause:
    """Why a language half cannot start, and the words by which it must be called everywhere.

    Attributes:
        break_it: takes the bundle's own copy and a folder of the test.
        said: what state and log name.
        remedy: what they advise.
    """

    break_it: Callable[[pytest.MonkeyPatch, Path, Path], None]
    said: str
    remedy: str


def damaged_gguf(patch: pytest.MonkeyPatch, bundle: Path, folder: Path) -> None:
    del patch, folder
    gguf = next(bundle.glob("*.gguf"))
    with gguf.open("r+b") as file:
        file.seek(1000)
        file.write(b"!")


def no_llama_cpp(patch: pytest.MonkeyPatch, bundle: Path, folder: Path) -> None:
    del bundle
    (folder / "path").mkdir()
    (folder / "path" / "llama_cpp.py").write_text("raise ImportError('no llama.cpp here')")
    patch.setattr(sys, "path", [str(folder / "path"), *sys.path])  # which the worker is handed over


def crashing_llama_cpp(patch: pytest.MonkeyPatch, bundle: Path, folder: Path) -> None:
    del bundle
    write_crashing_llama_cpp(folder / "path", "SIGILL")
    patch.setattr(sys, "path", [str(folder / "path"), *sys.path])


def write_crashing_llama_cpp(folder: Path, signal_name: str) -> None:
    """A package like the real one, with its libraries, of which a process dies by this signal."""
    import llama_cpp

    (folder / "llama_cpp").mkdir(parents=True)
    (folder / "llama_cpp" / "lib").symlink_to(Path(llama_cpp.__file__).parent / "lib")
    (folder / "llama_cpp" / "__init__.py").write_text(
        f"import os, signal\nos.kill(os.getpid(), signal.{signal_name})\n"
    )


def no_interpreter(patch: pytest.MonkeyPatch, bundle: Path, folder: Path) -> None:
    del bundle
    patch.setattr(sys, "executable", str(folder / "no-python"))


CAUSES = {
    "damaged GGUF": Cause(damaged_gguf, "has sha256", "copy the bundle again"),
    "no llama.cpp": Cause(no_llama_cpp, "is not installed", "make setup"),
    "llama.cpp that crashes": Cause(crashing_llama_cpp, "SIGILL", "llama_wheel"),
    "no interpreter": Cause(no_interpreter, "no-python: No such file", "this Python"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_station_starts_without_its_language_half_says_so_and_takes_it_when_it_is_there(
    name: str,
    speaking_station: MakeConfig,
    speaking_bundle: Bundle,
    plc: Subscriber,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cause, bundle = CAUSES[name], tmp_path / "bundle"
    shutil.copytree(speaking_bundle.path, bundle)
    write_parts(tmp_path / "parts", good=1, stained=1)
    config = speaking_station(
        tmp_path / "parts",
        camera={"loop": True, "rate_hz": 5},
        queue={"policy": "skip", "size": 20},  # a line that does not wait
        bundle=str(bundle),
        messaging=published(plc),
    )
    caplog.set_level(logging.INFO, "edge")
    with monkeypatch.context() as patch:
        cause.break_it(patch, bundle, tmp_path)
        with opened_station(config) as opened, ThreadPoolExecutor(1) as thread:
            assert any(cause.said in told for told in told_of_language(caplog)), "before the first part"
            running = thread.submit(opened.run)
            try:
                assert wait_until(lambda: len(plc.of("result")) >= 4, ENOUGH_S)
                stood_in = plc.of("result")[:4]
                assert wait_until(lambda: any(cause.said in state["text"] for state in plc.of("state")))
                state = plc.of("state")[-1]
                patch.undo()  # what was broken is mended
                next(bundle.glob("*.gguf")).write_bytes(
                    next(speaking_bundle.path.glob("*.gguf")).read_bytes()
                )
                assert wait_until(lambda: any(not result["review"] for result in plc.of("result")), ENOUGH_S)
                assert wait_until(lambda: plc.of("state")[-1]["text"] == "")
                assert opened.health.level is Level.OK
            finally:
                opened.stop()
            running.result()
    assert [(result["verdict"], result["review"]) for result in stood_in] == [("ok", 1), ("ng", 1)] * 2
    assert (state["state"], state["decided_by"]) == ("running", "language")
    assert state["text"].startswith("degraded: language: the calibrated score decides: ")
    broken, back = told_of_language(caplog)
    assert cause.said in broken and cause.remedy in broken
    assert back == "language: ok again"
    kept = recorded(config)
    assert seqs(kept) == list(range(1, len(kept) + 1))
    assert Verdict.ERROR not in {inspection.verdict for inspection in kept}


def told_of_language(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith("language: ")]


def test_where_parts_shall_be_errors_without_it_the_station_is_a_fault_and_goes_on(
    speaking_station: MakeConfig, plc: Subscriber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = speaking_station(
        tmp_path / "parts", verdict={"on_language_error": "error"}, messaging=published(plc)
    )
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with opened_station(config) as opened:
        assert opened.run().error == 2
        assert wait_until(lambda: any(state["code"] == 4 for state in plc.of("state")))
    assert all("no-python" in inspection.error for inspection in recorded(config))
    text = next(state["text"] for state in plc.of("state") if state["code"] == 4)
    assert text.startswith("fault: language: parts are errors: ")


def test_a_worker_that_hangs_costs_one_part_its_time_and_the_others_none(
    speaking_station: MakeConfig, tmp_path: Path
) -> None:
    timeout_s = 2.0
    write_parts(tmp_path / "parts", good=1)
    config = speaking_station(
        tmp_path / "parts",
        camera={"loop": True, "rate_hz": 20},
        verdict={"timeout_s": timeout_s},
        queue={"policy": "skip", "size": 100},
    )
    with opened_station(config) as opened, ThreadPoolExecutor(1) as thread:
        running = thread.submit(opened.run)
        worker = worker_of(opened)
        try:
            assert wait_until(lambda: opened.counters.total >= 10, ENOUGH_S)
            hung = worker.pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            assert wait_until(lambda: worker.pid not in (None, hung), ENOUGH_S)
            total = opened.counters.total
            assert wait_until(lambda: opened.counters.total >= total + 10, ENOUGH_S)
        finally:
            opened.stop()
        counters = running.result()
    kept = recorded(config)
    assert (counters.error, counters.overrun) == (0, 0)
    waited = [one for one in kept if one.latency_ms["language"] >= timeout_s * 1e3]
    assert len(waited) == 1 and waited[0].review
    # It hung for seven seconds: the parts behind the first were judged at the line's own speed meanwhile.
    assert sum(one.review for one in kept) > 20
    assert not kept[-1].review


@pytest.mark.slow
def test_200_parts_have_200_verdicts_however_often_the_worker_is_killed(
    speaking_station: MakeConfig, speaking_bundle: Bundle, plc: Subscriber, tmp_path: Path
) -> None:
    files = write_parts(tmp_path / "parts", good=150, stained=50)
    random.Random(0).shuffle(mixed := list(files))
    for number, file in enumerate(mixed):
        file.rename(file.with_name(f"shown-{number:03}.png"))
    config = speaking_station(
        tmp_path / "parts",
        camera={"rate_hz": 10},
        verdict={"timeout_s": 5},
        messaging=published(plc),
    )
    killed: dict[signal.Signals, int] = {signal.SIGKILL: 0, signal.SIGILL: 0}
    over, decided = threading.Event(), threading.Event()

    def watch(judged: Judged) -> None:
        if judged.dialogue is not None:
            decided.set()

    def kill(worker: LanguageWorker) -> None:
        moments = random.Random(1)
        for number in itertools.cycle(killed):
            # After a verdict of its own at least, at any moment: over a part, or between two.
            while not (over.is_set() or decided.wait(0.05)):
                pass
            if over.wait(moments.uniform(0, 1)):
                return
            if (pid := worker.pid) is not None:
                os.kill(pid, number)
                killed[number] += 1
                decided.clear()

    with opened_station(config, [watch]) as opened, ThreadPoolExecutor(1) as killer:
        worker = worker_of(opened)
        killing = killer.submit(kill, worker)
        counters = opened.run()
        over.set()
        killing.result()
        assert wait_until(lambda: not worker.trouble, ENOUGH_S), "the worker is back"
    assert min(killed.values()) >= 3
    assert wait_until(lambda: len(plc.of("result")) >= 200)
    assert [result["seq"] for result in plc.of("result")] == list(range(1, 201))
    kept = recorded(config)
    assert seqs(kept) == list(range(1, 201))
    assert [inspection.part_id for inspection in kept] == [f"shown-{number:03}" for number in range(200)]
    assert (counters.total, counters.error) == (200, 0)
    calibrated = calibrated_verdicts(config, speaking_bundle)
    assert {calibrated[one.part_id] for one in kept} == {Verdict.OK, Verdict.NG}
    said_ok = {one.part_id for one in kept if one.verdict is Verdict.OK}
    assert {part_id for part_id in said_ok if calibrated[part_id] is Verdict.NG} == set()
    assert any(one.review for one in kept) and any(not one.review for one in kept), "both have decided"
    assert any(state["text"].startswith("degraded: language: ") for state in plc.of("state"))


def calibrated_verdicts(config: StationConfig, bundle: Bundle) -> dict[str, Verdict]:
    """What the calibrated score says of each part in the station's folder."""
    camera = config.camera
    assert camera is not None and camera.kind == "folder"
    engine = OpenVinoEngine(bundle, threads=1)
    try:
        inspector = Inspector(engine, Products(config.data_dir).get(PRODUCT).memory())
        return {file.stem: inspector.inspect(read_image(file)).verdict for file in camera.path.iterdir()}
    finally:
        engine.close()


def test_a_person_at_the_terminal_sees_it_for_as_long_as_it_lasts(
    make_speaking_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts", good=3)
    station = make_speaking_station(tmp_path / "parts", camera={"rate_hz": 2})
    write_crashing_llama_cpp(tmp_path / "path", "SIGABRT")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", str(station)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "path"), *sys.path]),
            "COLUMNS": "300",
            "TERM": "xterm",
        },
    )
    os.close(theirs)
    shown = _everything(ours)
    assert process.wait(ENOUGH_S) == 0, shown
    log, *views = shown.partition("3 parts")[0].split("wait")  # the head of the table's last column
    assert "WARNING" in log and "SIGABRT" in log
    assert views and "degraded: language: the calibrated score decides: " in views[-1]
    assert "3 parts: 3 OK, 0 NG, 0 errors" in shown


def _everything(terminal: int) -> str:
    """What appears in the terminal until nobody writes to it any more."""
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # Linux says the end so.
        pass
    finally:
        os.close(terminal)
    return shown.decode()
