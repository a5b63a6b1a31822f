"""Engines side by side: every one is timed on the same images, and the choice among them is told."""

from __future__ import annotations

import functools
import io
import json
import sys
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from build_engines.engine_bench import EngineBenchResult, engine_tables, engines_json, measure_engines
from build_engines.engine_bench.banks import BankRun
from build_engines.engine_bench.measure import Group, _sides, fastest_that_passed
from build_engines.engine_bench.peak import Peak
from build_engines.engine_bench.runtimes import ONNX_RUNTIME, OPENVINO, Contestant, compiled, contestants
from edge.bundle import Bundle
from edge.choices import Precision
from edge.cli import main
from edge.errors import EngineError
from edge.vision.openvino import cpu_precisions
from tests.build_engines.tiny import SIZE, picture, tiny_bundle

FP32, BF16, INT8 = (Contestant(OPENVINO, p) for p in ("fp32", "bf16", "int8"))
ORT_FP32, ORT_INT8 = (Contestant(ONNX_RUNTIME, p) for p in ("fp32", "int8"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), ("fp32", "bf16"))


@pytest.fixture(scope="module")
def measured(bundle: Bundle) -> EngineBenchResult:
    images = [picture(seed) for seed in range(3)]
    told: list[tuple[str, int, int]] = []
    small = functools.partial(measure_engines, banks=(8, 64), peak_side=128)
    done = small(bundle, images, lambda *step: told.append(step), sizes=(56, SIZE), batches=(1, 3))
    assert ("56 pixels, batch 3: OpenVINO fp32", 1, 4) in told
    assert told[-1][0] == "matching against banks"
    return done


def test_every_engine_is_timed_at_every_size_and_batch(measured: EngineBenchResult, bundle: Bundle) -> None:
    assert [(g.size, g.batch) for g in measured.groups] == [
        ((56, 56), 1),
        ((56, 56), 3),
        ((SIZE, SIZE), 1),
        ((SIZE, SIZE), 3),
    ]
    for group in measured.groups:
        assert list(group.run_ms) == contestants(bundle)
        rounds = {len(samples) for samples in group.run_ms.values()}
        assert len(rounds) == 1 and min(rounds) >= 3, "every engine had its turn in every round"
        assert all(min(samples) > 0 for samples in group.run_ms.values())
    assert measured.groups[0].gflop == measured.groups[1].gflop, "of one image, whatever the batch"
    assert set(measured.peak_gflops) == {c.precision for c in contestants(bundle)}
    assert list(measured.banks) == [8, 64]


def test_sizes_that_the_patch_does_not_divide_are_left_out(bundle: Bundle) -> None:
    encoder = bundle.manifest.encoder.model_copy(update={"input_size": (320, 320), "patch": 32})
    assert _sides(encoder, (224, 336, 448, 672)) == [224, 320, 448, 672]
    oblong = encoder.model_copy(update={"input_size": (320, 640)})
    assert _sides(oblong, (448, 224)) == [224, 448]


def test_what_shares_a_file_is_one_contestant_in_onnx_runtime(bundle: Bundle) -> None:
    assert ORT_FP32 in contestants(bundle)
    assert Contestant(ONNX_RUNTIME, "bf16") not in contestants(bundle)
    assert (BF16 in contestants(bundle)) == ("bf16" in cpu_precisions())


def by_hand(passed: frozenset[Precision] = frozenset({"fp32", "int8"})) -> EngineBenchResult:
    peaks: dict[Precision, list[float]] = {"fp32": [1000.0, 2000.0, 2000.0], "int8": [2000.0, 8000.0, 4000.0]}
    own = Group((448, 448), 1, 50.0, peak_gflops=peaks)
    own.run_ms = {
        FP32: [200.0, 100.0, 100.0],
        INT8: [100.0, 25.0, 50.0],
        ORT_FP32: [400.0, 150.0, 200.0],
        ORT_INT8: [20.0, 20.0, 20.0],
    }
    four = Group((448, 448), 4, 50.0, {FP32: [400.0], INT8: [160.0]}, {"fp32": [900.0], "int8": [2500.0]})
    banks = {1024: BankRun([2.0, 4.0, 9.0], {"int8": [40.0, 50.0, 100.0]})}
    return EngineBenchResult("small-0", None, [four, own], INT8, passed, (448, 448), banks)


def test_figures_are_what_the_samples_say() -> None:
    written = json.loads(json.dumps(engines_json(by_hand())))
    four, own = written["engines"][1], written["engines"][3]
    assert (four["runtime"], four["precision"], four["batch"]) == (OPENVINO, "int8", 4)
    assert four["ms_per_image"] == 40.0 and four["images_per_second"] == 25.0
    assert own["ms_per_image"] == 50.0
    assert own["of_peak"] == 0.25  # 500 of 2000, 2000 of 8000, 1000 of 4000 GFLOP/s
    assert four["of_peak"] == 0.5  # 4 images of 50 GFLOP in 160 ms are 1250 of 2500 GFLOP/s
    assert written["peak_gflops"] == {"fp32": 2000.0, "int8": 8000.0}
    assert own["times_as_fast_as_fp32"] == 2.0  # of 2, 4 and 2, round by round
    assert written["banks"] == [
        {"rows": 1024, "match_ms": 4.0, "share_of_encoder": {"int8": pytest.approx(0.08)}}
    ]


@pytest.mark.parametrize(
    ("passed", "fastest", "words"),
    [
        # The fastest of all is another runtime's: told, with how much faster it is.
        ({"fp32", "int8"}, ORT_INT8, "ONNX Runtime int8, which passed too, is 2.50 times as fast"),
        ({"fp32"}, FP32, "OpenVINO fp32, which passed too, is 0.50 times as fast"),  # what is fast and wrong
    ],
)
def test_the_fastest_is_looked_for_among_those_that_passed(
    passed: set[Precision], fastest: Contestant, words: str
) -> None:
    measured = by_hand(frozenset(passed))
    assert measured.own is not None and measured.own.batch == 1
    assert fastest_that_passed(measured.own, measured.passed) == fastest
    assert words in shown(measured)
    assert engines_json(measured)["auto"] == {
        "takes": "OpenVINO int8",
        "fastest_that_passed": str(fastest),
    }


def test_auto_that_is_the_fastest_is_called_so() -> None:
    measured = by_hand()
    assert measured.own is not None
    del measured.own.run_ms[ORT_INT8]
    text = shown(measured)
    assert "auto takes OpenVINO int8: at 448 pixels, one image at a time, the fastest of those" in text
    row = next(line for line in text.splitlines() if "OpenVINO int8" in line and "auto" in line)
    assert "2.50" in row  # 400 over 160: the batch of four comes first


def test_what_did_not_pass_is_marked() -> None:
    row = next(line for line in shown(by_hand(frozenset({"fp32"}))).splitlines() if "Runtime int8" in line)
    assert row.rstrip().endswith("not passed")


def shown(measured: EngineBenchResult) -> str:
    file = io.StringIO()
    Console(file=file, width=160).print(engine_tables(measured))
    return file.getvalue()


def test_the_tables_name_engines_peaks_and_banks(measured: EngineBenchResult) -> None:
    text = shown(measured)
    for word in ("OpenVINO fp32", "ONNX Runtime fp32", "of peak", "GFLOP", "auto takes", "64"):
        assert word in text


@pytest.mark.parametrize("precision", sorted(cpu_precisions()))
def test_a_peak_is_measured_in_every_precision(precision: str) -> None:
    assert Peak(precision, None, side=64).gflops() > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("runtime", [OPENVINO, ONNX_RUNTIME])
def test_a_graph_that_does_not_compile_is_told_with_its_runtime(runtime: str) -> None:
    with pytest.raises(EngineError, match=rf"{runtime} fp32 cannot compile the graph at \[1, 84, 84, 3\]"):
        compiled(Contestant(runtime, "fp32"), b"no graph", "f32", (1, 84, 84, 3), None)


def test_the_command_writes_its_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = functools.partial(measure_engines, sizes=(56,), batches=(1,), banks=(8,), peak_side=128)
    monkeypatch.setattr("build_engines.engine_bench.measure_engines", small)
    target, images = tmp_path / "engines.json", tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "part.png"), picture())
    with pytest.raises(SystemExit) as left:
        main(
            [
                "bench",
                "--engines",
                "--bundle",
                str(bundle.path),
                "--images",
                str(images),
                "--json",
                str(target),
            ]
        )
    assert left.value.code == 0
    assert json.loads(target.read_text())["bundle"] == bundle.id
    assert "auto takes" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--parts", "3"], ["--precision", "fp32"], ["--references", "1"]])
def test_a_stations_options_are_refused_beside_it(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "--engines", *option])
    assert left.value.code == 2
    assert f"{option[0]} cannot be combined with --engines" in capsys.readouterr().err


def test_without_what_builds_bundles_the_remedy_is_told(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("build_engines.engine_bench")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit) as left:
        main(["bench", "--engines", "--bundle", str(bundle.path)])
    assert left.value.code == 1
    error = capsys.readouterr().err
    assert "onnx" in error and "pip install 'anomalygpt-edge[build]'" in error and error.count("\n") == 1
