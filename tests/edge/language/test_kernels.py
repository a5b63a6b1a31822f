"""Kernels are proved before they compute: those that crash, hang or compute wrong are left out."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import LanguageError
from edge.language import LanguageModel, LanguageWorker, kernel_proof, kernels
from edge.language.context import Rows
from edge.language.kernel_memory import read_record, record_path
from edge.language.kernel_proof import divergence
from edge.language.kernels import TOLERANCE_NATS, Kernels
from edge.paths import CACHE_VARIABLE
from tests.edge.language.conftest import LIMITS
from tests.edge.language.damage import CRASH, HANG, NOTHING, copied_libraries, damage
from tests.edge.language.models import CHATML, Embeddings

ENOUGH_S = 120.0  # A machine under load; no test waits that long where all is well.
CALLED = "ggml_compute_forward_rope"  # in every layer, for every token

needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64's machine code is written.")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What these tests find out about damaged libraries is nobody else's knowledge."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def ranking(model: LanguageModel) -> tuple[str, ...]:
    """Two or three of the installed variants, the best first and the plainest last."""
    record = Kernels(model, LIMITS).choose().record
    if record is None:
        pytest.skip("There is one build of the kernels for all processors: nothing to choose from.")
    middle = [name for name in record.ranking[1:-1] if name == "haswell"]
    return (record.ranking[0], *middle, record.ranking[-1])


@pytest.fixture
def libraries(ranking: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A copy of them, which this process's children load."""
    folder = tmp_path / "lib"
    found = copied_libraries(folder, ranking)
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))
    return found


@pytest.fixture(scope="module")
def rows(embeddings: Embeddings) -> Rows:
    return embeddings.rows([100, 2000, 30, 4000, 500, 6000])


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(*_: object) -> None:
        raise AssertionError("it was tried again")

    monkeypatch.setattr(kernels, "computed", tried)
    monkeypatch.setattr(kernels, "scores", tried)


def test_the_best_variant_is_proved_once_and_remembered(
    model: LanguageModel,
    libraries: dict[str, Path],
    ranking: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Kernels(model, LIMITS).choose()
    assert (found.name, found.library) == (ranking[0], libraries[ranking[0]])
    assert not found.left_out
    nothing_is_tried(monkeypatch)
    assert Kernels(model, LIMITS).choose() == found


def test_all_variants_here_are_far_within_the_tolerance(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    stop = threading.Event()
    plain = kernel_proof.computed(model, LIMITS, libraries[ranking[-1]], ENOUGH_S, stop)
    for name in ranking[:-1]:
        other = kernel_proof.computed(model, LIMITS, libraries[name], ENOUGH_S, stop)
        assert divergence(plain, other) < TOLERANCE_NATS / 4
        assert divergence(plain, np.roll(other, 1, axis=0)) > TOLERANCE_NATS


@needs_x86
def test_a_variant_that_crashes_is_left_out_and_the_next_one_judges(
    model: LanguageModel,
    libraries: dict[str, Path],
    ranking: tuple[str, ...],
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage(libraries[ranking[0]], CALLED, CRASH)
    with LanguageWorker(model, LIMITS) as worker:
        there = worker.judge(CHATML, rows, ENOUGH_S)
        assert worker.kernel == ranking[1]
        assert worker.restarts == 0
    found = Kernels(model, LIMITS).choose()
    assert found.left_out == {ranking[0]: "died of SIGILL"}
    nothing_is_tried(monkeypatch)
    assert Kernels(model, LIMITS).choose() == found
    monkeypatch.undo()
    with LanguageWorker(model, LIMITS) as whole:
        assert whole.kernel != worker.kernel
        here = whole.judge(CHATML, rows, ENOUGH_S)
    assert there.verdict is here.verdict
    assert there.p_anomaly == pytest.approx(here.p_anomaly, abs=0.1)


@needs_x86
def test_a_variant_that_computes_wrong_is_left_out(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    damage(libraries[ranking[0]], CALLED, NOTHING)
    found = Kernels(model, LIMITS).choose()
    assert found.name == ranking[1]
    assert "logits" in found.left_out[ranking[0]]


@needs_x86
@pytest.mark.slow
def test_a_variant_that_hangs_is_left_out(
    model: LanguageModel,
    libraries: dict[str, Path],
    ranking: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "_PATIENCE_S", 5.0)
    monkeypatch.setattr(kernels, "_TIMES_PLAIN", 1)
    damage(libraries[ranking[0]], CALLED, HANG)
    found = Kernels(model, LIMITS).choose()
    assert found.name != ranking[0]
    assert found.left_out[ranking[0]] == "hung"


@needs_x86
def test_a_variant_that_is_fatal_to_load_is_left_out(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    damage(libraries[ranking[0]], "ggml_backend_score", CRASH)
    found = Kernels(model, LIMITS).choose()
    assert found.name == ranking[1]
    assert found.left_out == {ranking[0]: "died of SIGILL while it was loaded"}


@needs_x86
def test_where_the_plainest_is_at_fault_the_next_plainest_is_what_others_are_compared_with(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    damage(libraries[ranking[-1]], CALLED, CRASH)
    found = Kernels(model, LIMITS).choose()
    assert found.name == ranking[0]
    assert found.left_out == {ranking[-1]: "died of SIGILL"}


@needs_x86
def test_where_none_computes_each_is_named_and_nothing_is_remembered(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...], own_cache: Path
) -> None:
    for library in libraries.values():
        damage(library, CALLED, CRASH)
    with pytest.raises(LanguageError, match=r"None of llama\.cpp's kernels computes") as caught:
        Kernels(model, LIMITS).choose()
    assert all(f"{name} died of SIGILL" in caught.value.message for name in ranking)
    assert caught.value.remedy
    assert not list(own_cache.rglob("*.json"))


@needs_x86
def test_a_crash_in_service_moves_on_and_loses_no_part(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...], rows: Rows
) -> None:
    """The running worker has the file mapped: what is written to it is what it executes next."""
    with LanguageWorker(model, LIMITS) as worker:
        before = worker.judge(CHATML, rows, ENOUGH_S)
        assert worker.kernel == ranking[0]
        damage(libraries[ranking[0]], CALLED, CRASH)
        after = worker.judge(CHATML, rows, ENOUGH_S)
        assert worker.kernel == ranking[1]
        assert worker.restarts == 1
    assert after.verdict is before.verdict


def test_a_worker_that_was_sent_a_fatal_signal_says_which_kernels_it_had(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    heard: set[str] = set()

    def hears(signal_name: str) -> bool:
        heard.add(worker.trouble)
        return any(signal_name in trouble for trouble in heard)

    with LanguageWorker(model, LIMITS) as worker:
        victim = worker.pid
        assert victim is not None
        os.kill(victim, signal.SIGILL)
        until(lambda: hears("SIGILL"))
        until(lambda: worker.pid not in (None, victim))
        assert worker.trouble == ""
        assert worker.kernel == ranking[1]
    (trouble,) = (trouble for trouble in heard if "SIGILL" in trouble)
    assert f"died of SIGILL in the kernels {ranking[0]}" in trouble
    assert "left out until the next start; `anomalygpt-edge doctor` says more" in trouble
    assert set(libraries) == set(ranking)


def test_signals_sent_in_a_loop_end_at_the_plainest_variant_until_the_next_start(
    model: LanguageModel, libraries: dict[str, Path], ranking: tuple[str, ...]
) -> None:
    here = Kernels(model, LIMITS)
    chosen = []
    for _ in range(len(ranking) + 2):
        kernel = here.choose()
        chosen.append(kernel.name)
        here.died(kernel, -signal.SIGILL)
    assert chosen == [*ranking, ranking[-1], ranking[-1]]
    again = Kernels(model, LIMITS).choose()
    assert again.name == ranking[0]
    assert again.record is not None
    assert ranking[0] in again.record.proved
    assert again.record.deaths[ranking[0]].count == 1
    assert set(libraries) == set(ranking)


@pytest.mark.usefixtures("libraries")
def test_what_killed_the_worker_from_outside_is_not_the_kernels_fault(
    model: LanguageModel, ranking: tuple[str, ...]
) -> None:
    here = Kernels(model, LIMITS)
    kernel = here.choose()
    for status in (-signal.SIGKILL, -signal.SIGTERM, 1, 0):
        assert here.died(kernel, status) == f"ended with status {status}"
    assert here.choose() == kernel
    assert kernel.name == ranking[0]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 2}', b"\xff\xfe", b"[]"])
def test_a_record_that_cannot_be_understood_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    assert read_record(path) is None
    path.write_bytes(content)
    assert read_record(path) is None


@pytest.mark.usefixtures("libraries")
def test_a_record_that_cannot_be_understood_is_made_anew(model: LanguageModel) -> None:
    found = Kernels(model, LIMITS).choose()
    assert found.record is not None
    assert found.record_path is not None
    found.record_path.write_text("{")
    again = Kernels(model, LIMITS).choose()
    assert (again.name, again.left_out) == (found.name, found.left_out)
    assert read_record(found.record_path) == again.record


@pytest.mark.usefixtures("libraries")
def test_a_cache_that_cannot_be_written_costs_memory_not_service(
    model: LanguageModel, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cache.write_text("a file where the folder should be")
    here = Kernels(model, LIMITS)
    found = here.choose()
    nothing_is_tried(monkeypatch)
    assert here.choose() == found


def test_another_processor_wheel_model_or_number_of_threads_is_proved_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "libggml-cpu-x64.so"
    library.write_bytes(b"one")
    known = {"x64": library}
    paths = [
        record_path("0" * 64, 2, known),
        record_path("1" * 64, 2, known),
        record_path("0" * 64, 3, known),
    ]
    assert record_path("0" * 64, 2, known) == paths[0]
    library.write_bytes(b"two")
    paths.append(record_path("0" * 64, 2, known))
    monkeypatch.setattr("edge.language.kernel_memory.machine_id", lambda: "another")
    paths.append(record_path("0" * 64, 2, known))
    assert len(set(paths)) == len(paths)


def test_trying_ends_with_the_station(model: LanguageModel, libraries: dict[str, Path]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(LanguageError, match="closed"):
        Kernels(model, LIMITS).choose(stop)
    assert libraries


LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4).map(
    lambda values: np.array([values], np.float32)
)


@given(LOGITS, LOGITS, st.floats(-20, 20))
def test_divergence_is_none_between_equals_and_never_negative(
    plain: Rows, other: Rows, offset: float
) -> None:
    assert divergence(plain, plain) == 0
    assert divergence(plain, other) >= -1e-9
    # What all logits have in common decides nothing.
    assert divergence(plain, plain + np.float32(offset)) == pytest.approx(0, abs=1e-4)
