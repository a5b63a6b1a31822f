"""What `doctor` says about the language kernels: which variant computes, which was left out, and why."""

from __future__ import annotations

import platform
import signal
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.language import ModelLimits, bundled_model
from edge.language.kernels import Kernels
from edge.language.library import kernel_libraries
from edge.paths import CACHE_VARIABLE
from edge.station.check_result import CheckStatus
from edge.station.doctor_kernels import look_at_kernels
from tests.edge.language.damage import CRASH, copied_libraries, damage


@pytest.fixture
def ranking(speaking_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The best installed variant and the plainest, copied; what is found out about them is kept apart."""
    record = Kernels(bundled_model(speaking_bundle), ModelLimits()).choose().record
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    if record is None or len(record.ranking) == 1:
        pytest.skip("There is one build of the kernels for this processor: nothing to choose from.")
    copies = copied_libraries(tmp_path / "lib", (record.ranking[0], record.ranking[-1]))
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path / "lib"))
    return copies


def test_a_processor_that_runs_its_best_kernels_is_well(
    speaking_bundle: Bundle, ranking: dict[str, Path]
) -> None:
    best, plain = ranking
    (finding,) = look_at_kernels(speaking_bundle)
    assert (finding.mark, finding.detail) == (CheckStatus.OK, f"{best} computes, as {plain} does")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64's machine code is written.")
def test_a_variant_that_was_left_out_is_named_with_its_signal_and_a_remedy(
    speaking_bundle: Bundle, ranking: dict[str, Path]
) -> None:
    best, plain = ranking
    damage(ranking[best], "ggml_compute_forward_rope", CRASH)
    (finding,) = look_at_kernels(speaking_bundle)
    assert finding.mark is CheckStatus.WARNING
    assert finding.detail == f"{plain} computes; left out on this machine: {best}, which died of SIGILL"
    assert "build_engines.language.llama_wheel" in finding.remedy
    assert "died of SIGILL" in Path(finding.remedy.rpartition("remove ")[2]).read_text()


def test_a_death_in_service_is_told_although_it_was_proved_again(
    speaking_bundle: Bundle, ranking: dict[str, Path]
) -> None:
    here = Kernels(bundled_model(speaking_bundle), ModelLimits())
    here.died(here.choose(), -signal.SIGSEGV)
    (finding,) = look_at_kernels(speaking_bundle)
    assert finding.mark is CheckStatus.WARNING
    assert f"{next(iter(ranking))} computes" in finding.detail
    assert "1 in all (SIGSEGV, " in finding.detail
    assert finding.remedy


def test_a_station_without_a_language_half_hears_nothing_of_it(tiny_bundle: Bundle) -> None:
    assert not list(look_at_kernels(tiny_bundle))


def test_the_installed_libraries_are_what_it_looks_at(speaking_bundle: Bundle) -> None:
    (finding,) = look_at_kernels(speaking_bundle)
    assert finding.detail.split()[0].rstrip(":") in kernel_libraries()
