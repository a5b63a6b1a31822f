"""A precision that crashes, hangs or computes wrong on this processor is never taken by itself."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from build_engines.assembly.draft import write_manifest
from build_engines.parity.gate import verify
from build_engines.parity.labelled import rendered_set
from edge.bundle import Bundle, BundleFile, Manifest, Parity
from edge.choices import Precision
from edge.errors import EngineError
from edge.fetch import sha256_of
from edge.paths import CACHE_VARIABLE
from edge.proofs import Outcome
from edge.vision import proved
from edge.vision.openvino import OpenVinoEngine, cpu_precisions
from tests.build_engines.tiny import MEASURED, picture
from tests.build_engines.tiny import tiny_bundle as make_tiny_bundle
from tests.edge.commands.conftest import Command, command
from tests.edge.parts import write_parts
from tests.edge.station.conftest import enrolled_with, station_maker

__all__ = ["command"]

INT8_FILE = "vision.int8.onnx"

# Ends or holds up, in native code, whatever process opens the graph: as kernels do that do not fit.
_OPENING_FAULTS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fault(const char *path) {
    if (!strstr(path, "%(file)s")) return;
    if (getenv("HANG_THERE")) for (;;) pause();
    __builtin_trap(); /* ud2 on x86: SIGILL */
}
FILE *fopen64(const char *path, const char *mode) {
    fault(path);
    return ((FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen64"))(path, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    fault(path);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    fault(path);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is remembered from elsewhere."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def right(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """The tiny bundle with a file for int8 that computes what fp32's does."""
    return with_int8(tiny_bundle, tmp_path / "right", lambda weights: weights)


@pytest.fixture
def altered(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """The same, its hash in order, with a file that computes something else: as wrong kernels do."""
    random = np.random.default_rng(5)
    return with_int8(
        tiny_bundle,
        tmp_path / "altered",
        lambda weights: random.permutation(weights.ravel()).reshape(weights.shape),
    )


@pytest.fixture
def faulty_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that this one starts die of SIGILL where they open int8's graph."""
    compiler = shutil.which("cc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = tmp_path / "faults.c", tmp_path / "faults.so"
    source.write_text(_OPENING_FAULTS.replace("%(file)s", INT8_FILE))
    subprocess.run(
        [compiler, "-x", "c", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    monkeypatch.setenv("LD_PRELOAD", str(library))


def with_int8(
    bundle: Bundle, folder: Path, change: Callable[[np.ndarray], np.ndarray], parity: Parity | None = MEASURED
) -> Bundle:
    """A copy of a bundle of fp32 whose int8 graph is fp32's with one layer's weights changed."""
    shutil.copytree(bundle.path, folder)
    model = onnx.load(str(bundle.file(bundle.graph("fp32").file)))
    widest = max(
        (tensor for tensor in model.graph.initializer if len(tensor.dims) == 2),
        key=lambda each: np.prod(each.dims),
    )
    widest.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(widest)), widest.name))
    file = folder / INT8_FILE
    onnx.save(model, str(file))
    manifest = bundle.manifest.model_dump()
    manifest["graphs"]["int8"] = {
        **manifest["graphs"]["fp32"],
        "file": INT8_FILE,
        "parity": parity,
    }
    manifest["files"][INT8_FILE] = BundleFile(sha256=sha256_of(file), bytes=file.stat().st_size).model_dump()
    write_manifest(folder, Manifest.model_validate(manifest))
    return Bundle.load(folder)


def takes(bundle: Bundle) -> proved.PrecisionChoice:
    return proved.take(bundle, ["int8", "fp32"])


def test_one_that_computes_what_fp32_does_is_taken(right: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "edge.vision.proved"):
        assert takes(right) == proved.PrecisionChoice("int8", {})
    assert "Checking int8 on this processor, once" in caplog.text
    assert "int8 is computed correctly on this processor: mean patch cosine 1.0" in caplog.text


def test_one_that_computes_wrong_is_left_out_and_said_once(
    altered: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        taken = takes(altered)
    assert taken.precision == "fp32"
    assert taken.left_out["int8"].kind == "wrong"
    assert re.search(
        r"mean patch cosine 0\.\d+ to fp32, .*; the mean must be 0\.9998", taken.left_out["int8"].detail
    )
    assert [record.levelname for record in caplog.records if record.name == proved.__name__] == ["WARNING"]


@pytest.mark.usefixtures("faulty_runtime")
def test_one_that_kills_its_process_is_left_out_with_its_signal(right: Bundle) -> None:
    taken = takes(right)
    assert taken.precision == "fp32"
    assert taken.left_out == {"int8": Outcome("crashed", "SIGILL")}


@pytest.mark.usefixtures("faulty_runtime")
def test_one_that_hangs_is_left_out(right: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANG_THERE", "1")
    monkeypatch.setattr(proved, "LONGEST_S", 3.0)
    taken = takes(right)
    assert taken.precision == "fp32"
    assert taken.left_out["int8"].kind == "hung"


@pytest.mark.usefixtures("faulty_runtime")
def test_what_was_proved_is_not_tried_again(
    right: Bundle, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    """After the runtime was mended too: a start costs no proof, until the file is deleted."""
    assert takes(right).precision == "fp32"
    monkeypatch.delenv("LD_PRELOAD")
    assert takes(right).precision == "fp32"
    (own_cache / "proofs.json").unlink()
    assert takes(right).precision == "int8"


def test_each_bundle_is_proved_by_itself(right: Bundle, altered: Bundle) -> None:
    assert takes(altered).precision == "fp32"
    assert takes(right).precision == "int8"


def test_a_damaged_memory_is_proved_again(altered: Bundle, own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "proofs.json").write_text('{"int8": ')
    assert takes(altered).precision == "fp32"


def test_a_bundle_that_was_off_at_its_gate_may_be_as_far_off_here(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    """The limit comes from the bundle's own figures: what one promises, another does not."""

    def nudged(weights: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(1).normal(0, weights.std() / 4, weights.shape)
        return (weights + noise).astype(np.float32)

    near = MEASURED.model_copy(update={"patch_cosine_mean": 0.995, "patch_cosine_min": 0.95})
    promised = with_int8(tiny_bundle, tmp_path / "exact", nudged)
    admitted = with_int8(tiny_bundle, tmp_path / "near", nudged, near)
    assert takes(promised).precision == "fp32"
    proved.proofs_file().unlink()  # The files are the same, and so is the bundle's id.
    assert takes(admitted).precision == "int8"


def test_where_nothing_computes_rightly_nothing_is_taken(altered: Bundle) -> None:
    with pytest.raises(EngineError, match="no precision of bundle tiny correctly: int8: it computes wrong"):
        proved.take(altered, ["int8"])


needs_int8 = pytest.mark.skipif(
    "int8" not in cpu_precisions(), reason="this CPU does not compute int8 exactly"
)


@needs_int8
def test_the_engine_takes_what_was_proved(right: Bundle, altered: Bundle) -> None:
    for bundle, expected in ((right, "int8"), (altered, "fp32")):
        engine = OpenVinoEngine(bundle, threads=1)
        assert engine.precision == expected
        assert np.allclose(
            engine.encode(picture()).features,
            OpenVinoEngine(bundle, "fp32").encode(picture()).features,
            atol=0.02,
        )
        engine.close()


@needs_int8
def test_doctor_names_what_is_left_out_and_why(command: Command, altered: Bundle, tmp_path: Path) -> None:
    done = command("doctor", "--bundle", altered.path, "--data-dir", tmp_path / "data")
    said = " ".join(done.out.split())
    assert re.search(
        r"look precision fp32: mean patch cosine .* int8 is left out: it computes wrong", said
    ), done.out
    assert "delete" in said and "proofs.json" in said


@needs_int8
@pytest.mark.parametrize(("chosen", "mark"), [("auto", "look"), ("int8", "WRONG"), ("fp32", "ok")])
def test_doctor_looks_at_what_a_station_computes_in(
    command: Command, altered: Bundle, tmp_path: Path, chosen: Precision, mark: str
) -> None:
    data = enrolled_with(altered, tmp_path / "enrolled")
    make = station_maker(tmp_path, data, altered, verdict={"decided_by": "calibration"})
    done = command("doctor", make(tmp_path / "parts", engine={"precision": chosen}))
    rows = [line.split() for line in done.out.splitlines() if not line.startswith(" ")]
    assert [row[0] for row in rows if row[1] == "precision"] == [mark]


@needs_int8
@pytest.mark.usefixtures("faulty_runtime")
def test_a_bundle_is_built_where_one_precision_crashes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its gate leaves that one unmeasured, so nobody takes it, and is held for the others."""
    made = with_int8(make_tiny_bundle(tmp_path), tmp_path / "made", lambda weights: weights, None)
    products = rendered_set(products=2, parts=2)
    manifest = verify(made, {"weights": tmp_path / "tiny.onnx"}, products, print)
    assert manifest.graphs["int8"].parity is None
    measured = manifest.graphs["fp32"].parity
    assert measured is not None and measured.passed
    assert "int8 is left out on this processor: it crashed with SIGILL" in caplog.text


@needs_int8
@pytest.mark.usefixtures("faulty_runtime")
def test_bench_measures_the_others(command: Command, right: Bundle, tmp_path: Path) -> None:
    parts, figures = write_parts(tmp_path / "parts", good=3), tmp_path / "bench.json"
    options = ["--images", parts[0].parent, "--references", 2, "--parts", 3, "--decided-by", "calibration"]
    done = command("bench", "--bundle", right.path, *options, "--json", figures)
    assert done.code == 0, done.err
    assert list(json.loads(figures.read_text())["precisions"]) == ["fp32"]
