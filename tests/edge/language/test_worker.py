"""The language model's process can die, hang or be slow: nobody waits for ever, no part is lost."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge.errors import LanguageError
from edge.language import LanguageModel, LanguageWorker, ModelLimits, Runner
from edge.language.context import Rows
from tests.edge.language.conftest import LIMITS
from tests.edge.language.models import CHATML, Embeddings

pytestmark = pytest.mark.usefixtures("model", "own_memory_of_crashes")

ENOUGH_S = 60.0  # A machine under load; no test waits that long where all is well.


@pytest.fixture(scope="module")
def rows(runner: Runner, embeddings: Embeddings) -> Rows:
    return embeddings.rows(runner._context.tokens("The bottle in this image is broken at the top left."))


@pytest.fixture(scope="module")
def p_anomaly(runner: Runner, rows: Rows) -> float:
    """What is to be said of the part: a runner in this process says it."""
    return runner.judge(CHATML, rows).p_anomaly


@pytest.fixture(scope="module")
def worker(model: LanguageModel) -> Iterator[LanguageWorker]:
    with LanguageWorker(model, LIMITS) as worker:
        yield worker


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def pid_of(worker: LanguageWorker) -> int:
    until(lambda: worker.pid is not None)
    assert worker.pid is not None
    return worker.pid


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_says_what_a_runner_says(worker: LanguageWorker, runner: Runner, rows: Rows) -> None:
    here, there = runner.judge(CHATML, rows), worker.judge(CHATML, rows, ENOUGH_S)
    assert dataclasses.replace(there, dialogue=0) == dataclasses.replace(here, dialogue=0)
    answer = worker.answer(there.dialogue, 8, ENOUGH_S)
    assert answer == "".join(runner.answer(here.dialogue, 8))
    question = "Where is it?"
    assert worker.ask(there.dialogue, question, 8, ENOUGH_S) == "".join(
        runner.ask(here.dialogue, question, 8)
    )
    worker.release(there.dialogue)
    with pytest.raises(LanguageError, match="has ended"):
        worker.ask(there.dialogue, question, timeout_s=ENOUGH_S)


def test_refusals_cross_the_border(worker: LanguageWorker, rows: Rows) -> None:
    with pytest.raises(LanguageError, match="not finite") as caught:
        worker.judge(CHATML, np.full_like(rows, np.nan), ENOUGH_S)
    assert caught.value.message
    with pytest.raises(LanguageError, match="expected") as caught:
        worker.judge(CHATML, rows[:, :-1], ENOUGH_S)
    assert caught.value.remedy


def test_many_threads_get_each_their_own(worker: LanguageWorker, rows: Rows) -> None:
    expected = [worker.judge(CHATML, rows[:count], ENOUGH_S).yes_logit for count in range(2, 8)]
    with ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda n: worker.judge(CHATML, rows[:n], ENOUGH_S).yes_logit, range(2, 8))
    assert list(found) == expected
    assert len(set(expected)) == len(expected)


def test_a_verdict_does_not_wait_for_words(worker: LanguageWorker, rows: Rows) -> None:
    order: list[str] = []
    reading = worker.judge(CHATML, rows, ENOUGH_S)
    worker.answer(reading.dialogue, 1, ENOUGH_S)

    def write() -> None:
        worker.ask(reading.dialogue, "Tell me a long story about glass and light.", 90, ENOUGH_S)
        order.append("words")

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(worker._pending) == 1)
    worker.judge(CHATML, rows, ENOUGH_S)
    order.append("verdict")
    writer.join()
    assert order == ["verdict", "words"]


def test_a_part_under_way_survives_a_killed_worker(worker: LanguageWorker, rows: Rows) -> None:
    expected = worker.judge(CHATML, rows, ENOUGH_S)
    victim, restarts = pid_of(worker), worker.restarts
    os.kill(victim, signal.SIGSTOP)  # So that it is under way for sure.
    with ThreadPoolExecutor(1) as pool:
        part = pool.submit(worker.judge, CHATML, rows, ENOUGH_S)
        until(lambda: len(worker._pending) == 1)
        os.kill(victim, signal.SIGKILL)
        reading = part.result()
    assert dataclasses.replace(reading, dialogue=0) == dataclasses.replace(expected, dialogue=0)
    assert worker.restarts == restarts + 1
    assert not is_alive(victim)
    with pytest.raises(LanguageError, match="has ended"):
        worker.answer(expected.dialogue, timeout_s=ENOUGH_S)


def test_words_under_way_are_lost_with_a_clear_error(worker: LanguageWorker, rows: Rows) -> None:
    reading = worker.judge(CHATML, rows, ENOUGH_S)
    victim = pid_of(worker)
    os.kill(victim, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        words = pool.submit(worker.answer, reading.dialogue, 8, ENOUGH_S)
        until(lambda: len(worker._pending) == 1)
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(LanguageError, match="Inspect the part again"):
            words.result()


def test_a_part_that_kills_two_workers_is_given_up(
    model: LanguageModel, rows: Rows, p_anomaly: float
) -> None:
    with LanguageWorker(model, ModelLimits(threads=1, context_tokens=1024, dialogues=1)) as worker:
        first = pid_of(worker)
        os.kill(first, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            # So many rows that the second worker is at it still when its end comes.
            part = pool.submit(worker.judge, CHATML, np.repeat(rows, 64, axis=0), ENOUGH_S)
            until(lambda: len(worker._pending) == 1)
            os.kill(first, signal.SIGKILL)
            until(lambda: worker.pid not in (None, first))
            os.kill(pid_of(worker), signal.SIGKILL)
            with pytest.raises(LanguageError, match="died 2 times"):
                part.result()
        until(lambda: worker.pid is not None)
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)


def test_a_worker_that_hangs_costs_one_part_its_time_and_is_replaced(
    worker: LanguageWorker, rows: Rows, p_anomaly: float
) -> None:
    worker.judge(CHATML, rows, ENOUGH_S)
    victim = pid_of(worker)
    os.kill(victim, signal.SIGSTOP)
    with pytest.raises(LanguageError, match="did not answer within"):
        worker.judge(CHATML, rows, timeout_s=0.1)
    for _ in range(3):  # Those that follow ask in vain, and learn it at once.
        asked_s = time.monotonic()
        with pytest.raises(LanguageError, match="did not finish an earlier part in time"):
            worker.judge(CHATML, rows, ENOUGH_S)
        assert time.monotonic() - asked_s < ENOUGH_S / 4
    assert "in time" in worker.trouble
    until(lambda: worker.pid not in (None, victim))
    assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)
    assert not worker.trouble
    assert not is_alive(victim)


def test_a_worker_that_was_only_late_is_asked_again_as_soon_as_it_answers(
    worker: LanguageWorker, rows: Rows, p_anomaly: float
) -> None:
    pid, restarts = pid_of(worker), worker.restarts
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(LanguageError, match="did not answer within"):
        worker.judge(CHATML, rows, timeout_s=0.1)
    os.kill(pid, signal.SIGCONT)
    until(lambda: not worker.trouble)
    assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)
    assert (worker.pid, worker.restarts) == (pid, restarts)


ENDS = [
    # (signal, what is said of it, what to do)
    (signal.SIGKILL, "SIGKILL", "memory ran out"),
    (signal.SIGILL, "SIGILL", "llama_wheel"),
    (signal.SIGSEGV, "SIGSEGV", "llama_wheel"),
    (signal.SIGTERM, "SIGTERM", "error output"),
]


@pytest.mark.parametrize(("number", "said", "remedy"), ENDS)
def test_a_part_does_not_wait_for_a_worker_that_is_not_back_in_time_and_hears_how_it_ended(
    model: LanguageModel, rows: Rows, number: signal.Signals, said: str, remedy: str, p_anomaly: float
) -> None:
    with LanguageWorker(model, LIMITS) as worker:
        worker.judge(CHATML, rows, ENOUGH_S)
        worker._loading_s = 10 * ENOUGH_S  # as on a machine that loads slowly
        victim, kernel = pid_of(worker), worker.kernel
        os.kill(victim, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            part = pool.submit(worker.judge, CHATML, rows, ENOUGH_S)
            until(lambda: len(worker._pending) == 1)
            ended_s = time.monotonic()
            os.kill(victim, number)
            os.kill(victim, signal.SIGCONT)
            with pytest.raises(LanguageError, match=re.escape(said)) as caught:
                part.result()
        assert time.monotonic() - ended_s < ENOUGH_S / 2
        assert remedy in caught.value.remedy
        until(lambda: worker.pid is not None)
        # After a crash other kernels compute, where there are some, and they round otherwise.
        same = 1e-3 if worker.kernel == kernel else 0.1
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=same)


def test_a_full_queue_refuses_at_once(model: LanguageModel, rows: Rows, p_anomaly: float) -> None:
    with LanguageWorker(model, LIMITS, most_waiting=1) as worker:
        os.kill(pid_of(worker), signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(worker.judge, CHATML, rows, ENOUGH_S)
            until(lambda: len(worker._pending) == 1)
            with pytest.raises(LanguageError, match="1 requests are already waiting"):
                worker.judge(CHATML, rows)
            os.kill(pid_of(worker), signal.SIGCONT)
            assert waiting.result().p_anomaly == pytest.approx(p_anomaly, abs=1e-3)


def test_closing_ends_the_process_and_whoever_waits(model: LanguageModel, rows: Rows) -> None:
    worker = LanguageWorker(model, LIMITS)
    worker.start()
    pid = pid_of(worker)
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        part = pool.submit(worker.judge, CHATML, rows, ENOUGH_S)
        until(lambda: len(worker._pending) == 1)
        worker.close()
        with pytest.raises(LanguageError, match="closed"):
            part.result()
    worker.close()
    assert not is_alive(pid)
    with pytest.raises(LanguageError, match="not running"):
        worker.judge(CHATML, rows)


def test_a_model_that_cannot_be_loaded_is_said_at_the_start(model: LanguageModel) -> None:
    worker = LanguageWorker(dataclasses.replace(model, sha256="0" * 64), LIMITS)
    with pytest.raises(LanguageError, match="has sha256") as caught:
        worker.start()
    assert caught.value.remedy


def test_a_model_that_cannot_be_loaded_is_tried_again_beside_whoever_can_do_without(
    model: LanguageModel, rows: Rows, tmp_path: Path, p_anomaly: float
) -> None:
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF, and then nothing that it should be")
    worker = LanguageWorker(dataclasses.replace(model, gguf=gguf), LIMITS)
    worker.start(patience_s=ENOUGH_S)
    try:
        assert worker.pid is None
        assert "has sha256" in worker.trouble
        with pytest.raises(LanguageError, match="has sha256"):
            worker.judge(CHATML, rows, ENOUGH_S)
        gguf.unlink()
        gguf.symlink_to(model.gguf)
        until(lambda: worker.pid is not None)
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)
        assert not worker.trouble
    finally:
        worker.close()


def test_whoever_can_do_without_it_does_not_wait_for_one_that_loads_slowly(
    model: LanguageModel, rows: Rows
) -> None:
    worker = LanguageWorker(model, LIMITS)
    worker.start(patience_s=0)
    try:
        assert worker.trouble == "The language worker is starting."
        with pytest.raises(LanguageError, match="is starting"):
            worker.judge(CHATML, rows, ENOUGH_S)
        until(lambda: not worker.trouble)
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly > 0
    finally:
        worker.close()


def test_a_machine_that_starts_no_process_is_asked_again_until_it_does(
    model: LanguageModel, rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, p_anomaly: float
) -> None:
    with LanguageWorker(model, LIMITS) as worker:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(tmp_path / "no-python"))
            os.kill(pid_of(worker), signal.SIGKILL)
            until(lambda: worker.failures >= 2)
            assert "no-python: No such file or directory" in worker.trouble
            with pytest.raises(LanguageError, match="cannot be started"):
                worker.judge(CHATML, rows, ENOUGH_S)
        until(lambda: worker.pid is not None)
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)


SHORT_OF_DESCRIPTORS = """
import os, resource, signal, sys, time
from pathlib import Path
from edge.language import LanguageModel, LanguageWorker, ModelLimits

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, worker.trouble
        time.sleep(0.02)

gguf, sha256 = sys.argv[1:]
model = LanguageModel(Path(gguf), sha256, "llama", 576)
with LanguageWorker(model, ModelLimits(threads=1, context_tokens=256)) as worker:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: worker.failures >= 2)
    print(worker.trouble)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: worker.pid is not None)
    print("back")
"""


def test_a_machine_without_descriptors_is_asked_again_until_it_has_some(
    model: LanguageModel, tmp_path: Path
) -> None:
    station = tmp_path / "station.py"  # A process of its own, whose limit is really that low.
    station.write_text(SHORT_OF_DESCRIPTORS)
    done = subprocess.run(
        [sys.executable, str(station), str(model.gguf), model.sha256],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trouble, back = done.stdout.splitlines()
    assert "cannot be started" in trouble and "Too many open files" in trouble and "ulimit" in trouble
    assert back == "back"


def test_a_restart_that_fails_is_the_reason_that_a_part_hears(
    model: LanguageModel, rows: Rows, p_anomaly: float, tmp_path: Path
) -> None:
    gguf = tmp_path / "model.gguf"
    gguf.symlink_to(model.gguf)
    with LanguageWorker(dataclasses.replace(model, gguf=gguf), LIMITS) as worker:
        gguf.unlink()
        os.kill(pid_of(worker), signal.SIGKILL)
        until(lambda: worker.restarts >= 2)
        with pytest.raises(LanguageError, match="Cannot read"):
            worker.judge(CHATML, rows, timeout_s=0.2)
        gguf.symlink_to(model.gguf)
        until(lambda: worker.pid is not None)
        assert worker.judge(CHATML, rows, ENOUGH_S).p_anomaly == pytest.approx(p_anomaly, abs=1e-3)


def test_the_process_does_not_outlive_the_station(model: LanguageModel, tmp_path: Path) -> None:
    station = tmp_path / "station.py"
    station.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from edge.language import LanguageModel, LanguageWorker, ModelLimits\n"
        f"worker = LanguageWorker(LanguageModel(Path({str(model.gguf)!r}), {model.sha256!r}, 'llama', 576),"
        " ModelLimits(threads=1, context_tokens=256))\n"
        "worker.start()\nprint(worker.pid, flush=True)\nsys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(station)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()
    until(lambda: not is_alive(pid))
