"""What a station needs, looked at piece by piece: present, missing or wrong, and the remedy."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from edge.choices import RequestedPrecision
from edge.errors import BundleError, EdgeError, LanguageError, RecordsError
from edge.records import History
from edge.station.check_result import CheckResult, CheckStatus
from edge.station.product import check_description, check_learned_by
from edge.station.products import Products
from edge.station.secrecy import broker_doubts, file_doubts
from edge.station.seeing import views_by_camera

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.cameras import CameraSettings, GigESettings
    from edge.choices import Precision
    from edge.config import StationConfig

PYTHONS = ((3, 10), (3, 13))
MIN_FREE_GB = 1.0

#: What is imported, and the distribution that brings it.
PACKAGES = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "openvino": "openvino",
    "yaml": "pyyaml",
    "pydantic": "pydantic",
    "paho.mqtt.client": "paho-mqtt",
    "click": "click",
    "rich": "rich",
    "platformdirs": "platformdirs",
    "ulid": "python-ulid",
    "psutil": "psutil",
}

_FRAME_WAIT_S = 5.0
_SELF_TEST_S = 60.0


def examine(
    data_dir: Path, bundle_name: str | None, config: StationConfig | None = None
) -> Iterator[CheckResult]:
    """Look at everything, cheap things first; each finding is yielded as it is made.

    Args:
        data_dir: of products and records.
        bundle_name: as for :meth:`edge.bundle.Bundle.resolve`.
        config: of a station, whose product, camera and broker are looked at too.
    """
    from edge.station.doctor_kernels import look_at_kernels
    from edge.station.jetson import look

    yield _python()
    yield from _packages()
    yield from look()
    yield _clock()
    yield _processor()
    bundle: Bundle | None = None
    try:
        from edge.bundle import Bundle

        bundle = Bundle.resolve(bundle_name)
        yield CheckResult("bundle", CheckStatus.OK, f"{bundle.id} in {bundle.path}, every hash right")
        yield from _engine(bundle, config)
        language = _language(bundle, None if config is None else config.verdict.decided_by)
        yield language
        if language.mark is CheckStatus.OK:
            yield from look_at_kernels(bundle, config)
    except BundleError as error:
        yield _wrong("bundle", error)
    yield _told("data", lambda: _data_dir(data_dir))
    yield _told("records", lambda: _records(data_dir))
    if config is None:
        yield _told("products", lambda: ", ".join(Products(data_dir).names()) or "none is enrolled yet")
        return
    yield _told("product", lambda: _product(data_dir, config, bundle))
    yield from _cameras(config.all_cameras)
    yield from _brokers(config)


def _told(what: str, look: Callable[[], str]) -> CheckResult:
    """What a look found, or the error that it raised."""
    try:
        return CheckResult(what, CheckStatus.OK, look())
    except EdgeError as error:
        return _wrong(what, error)


def _wrong(what: str, error: EdgeError) -> CheckResult:
    return CheckResult(what, CheckStatus.WRONG, error.message, error.remedy)


def _python() -> CheckResult:
    found = f"{platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return CheckResult("python", CheckStatus.OK, found)
    low, high = (".".join(map(str, version)) for version in PYTHONS)
    return CheckResult("python", CheckStatus.WRONG, found, f"Use Python {low} to {high}.")


def _packages() -> Iterator[CheckResult]:
    versions = []
    for module, distribution in PACKAGES.items():
        try:
            importlib.import_module(module)
            versions.append(f"{distribution} {_version(distribution)}")
        except ImportError as error:
            yield CheckResult(
                distribution,
                CheckStatus.WRONG,
                f"cannot be imported: {error}",
                _package_remedy(module, distribution),
            )
    yield CheckResult("packages", CheckStatus.OK, ", ".join(versions))


def _package_remedy(module: str, distribution: str) -> str:
    from edge.station.jetson import is_jetson, opencv_remedy

    if module == "cv2" and is_jetson():
        return opencv_remedy()
    return f"Install it: {sys.executable} -m pip install --force-reinstall {distribution}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        # cv2 can come from another build of OpenCV, JetPack's for one.
        return "(not from pip)"


def _clock() -> CheckResult:
    """A clock before this program's own files were made is wrong: a board without a battery."""
    now = datetime.now(timezone.utc)
    made = datetime.fromtimestamp(Path(__file__).stat().st_mtime, timezone.utc)
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < made:
        return CheckResult(
            "clock",
            CheckStatus.WRONG,
            f"{found}: earlier than this program was installed ({made:%Y-%m-%d})",
            "Set it: timedatectl set-ntp true, or date --set.",
        )
    return CheckResult("clock", CheckStatus.OK, found)


def _processor() -> CheckResult:
    import psutil

    from edge.vision.openvino import cpu_precisions

    cores, threads = psutil.cpu_count(logical=False), psutil.cpu_count()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
    memory_gb = psutil.virtual_memory().total / 1e9
    found = (
        f"{cores} cores, {threads} threads, {usable} available to the station; "
        f"{', '.join(sorted(cpu_precisions()))}; "
        f"{memory_gb:.1f} GB of memory"
    )
    return CheckResult("processor", CheckStatus.OK, found)


def _engine(bundle: Bundle, config: StationConfig | None) -> Iterator[CheckResult]:
    """What computes the vision graph, why, and how right that was measured to be."""
    from edge.config import EngineSettings
    from edge.vision.opening import choose_runtime

    settings = EngineSettings() if config is None else config.engine
    choice = choose_runtime(
        bundle,
        settings.runtime,
        settings.precision,
        accept_failed_parity=settings.accept_failed_parity,
    )
    if choice.runtime == "openvino":
        yield CheckResult("engine", CheckStatus.OK, f"openvino on the CPU: {choice.reason}")
        if settings.precision == "auto":
            try:
                yield _precision(bundle)
            except EdgeError as error:
                yield _wrong("precision", error)
        else:
            yield _chosen_precision(bundle, settings.precision, settings.accept_failed_parity)
        return
    try:
        yield _plans(bundle, settings.precision)
    except EdgeError as error:
        yield _wrong("engine", error)


def _plans(bundle: Bundle, precision: RequestedPrecision) -> CheckResult:
    """The TensorRT plans, and whether they were measured on this GPU."""
    from edge.vision.tensorrt.compiled import accept_command, read_compilation
    from edge.vision.tensorrt.ready import answering_gpu, compiled_precision

    device, chosen = answering_gpu(), compiled_precision(bundle, precision)
    passed = read_compilation(bundle, chosen).passed
    told = f"tensorrt {chosen} on {device}"
    if passed:
        return CheckResult("engine", CheckStatus.OK, f"{told}, accepted")
    if passed is None:
        return CheckResult(
            "engine", CheckStatus.WARNING, f"{told}, never measured", f"Run: {accept_command(bundle)}"
        )
    return CheckResult(
        "engine", CheckStatus.WRONG, f"{told}, not accepted", "Choose another precision or openvino."
    )


def _chosen_precision(bundle: Bundle, precision: Precision, accepted: bool) -> CheckResult:
    """The precision that a station's file names, in place of the fastest."""
    from edge.proofs import Outcome
    from edge.vision.proved import proof

    try:
        bundle.proved_graph(precision, accepted)
    except BundleError as error:
        return _wrong("precision", error)
    if doubt := bundle.doubt(precision):
        remedy = "The station judges by it, since engine.accept_failed_parity is true: set it to false."
        return CheckResult("precision", CheckStatus.WARNING, doubt, remedy)
    outcome = Outcome("ok") if precision == "fp32" else proof(bundle, precision)
    if not outcome.passed:
        return CheckResult(
            "precision",
            CheckStatus.WARNING if outcome.kind == "undecided" else CheckStatus.WRONG,
            f"{precision}, as engine.precision says: {outcome}",
            "Set engine.precision: auto.",
        )
    return CheckResult("precision", CheckStatus.OK, f"{precision}, as engine.precision says")


def _precision(bundle: Bundle) -> CheckResult:
    """What ``auto`` takes, and the faster ones that this processor cannot be trusted with."""
    from edge.vision.openvino import auto_precision
    from edge.vision.proved import proofs_file

    taken = auto_precision(bundle)
    parity = bundle.manifest.graphs[taken.precision].parity
    assert parity is not None, "auto takes what was measured"
    found = f"{taken.precision}: mean patch cosine {parity.patch_cosine_mean:.5f} to {parity.against}"
    if not taken.left_out:
        return CheckResult("precision", CheckStatus.OK, found)
    left_out = "; ".join(f"{name} is left out: {outcome}" for name, outcome in taken.left_out.items())
    return CheckResult(
        "precision",
        CheckStatus.WARNING,
        f"{found}; {left_out}",
        f"Verdicts are as good, and slower. To have it tried again, delete {proofs_file()}.",
    )


def _language(bundle: Bundle, decided_by: str | None) -> CheckResult:
    """llama.cpp, the language model's file, and a verdict that is the same each time.

    ``decided_by`` is a station's; where there is no station, a bundle that only sees is not wrong.
    """
    if decided_by == "calibration":
        return CheckResult("language", CheckStatus.OK, "not used: verdict.decided_by is calibration")
    if decided_by is None and bundle.manifest.language is None:
        remedy = "Stations with this bundle need verdict.decided_by: calibration."
        return CheckResult("language", CheckStatus.WARNING, f"{bundle.name} has no language half", remedy)
    return _told("language", lambda: _language_self_test(bundle))


def _language_self_test(bundle: Bundle) -> str:
    """Judges the learned rows themselves, twice, in a worker as a station's.

    Raises:
        BundleError, LanguageError: the language half is missing, or does not work.
    """
    from edge.language import LanguageWorker, bundled_model, prompt_for
    from edge.language.library import VERSION

    model = bundled_model(bundle)
    assert model.base_rows is not None
    with LanguageWorker(model) as worker:
        readings = [worker.judge(prompt_for(), model.base_rows, _SELF_TEST_S) for _ in range(2)]
        started_s = time.monotonic()
        readings.append(worker.judge(prompt_for(), model.base_rows, _SELF_TEST_S))
        took_ms = (time.monotonic() - started_s) * 1e3
    if len({(reading.yes_logit, reading.no_logit) for reading in readings}) > 1:
        raise LanguageError(
            "The language model's verdict on the same rows is not always the same.",
            "Check the machine's memory, then build the bundle again.",
        )
    return (
        f"llama-cpp-python {VERSION}, {model.gguf.name} with the hash of the bundle; "
        f"a verdict takes {took_ms:.0f} ms and is the same each time"
    )


def _data_dir(data_dir: Path) -> str:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir) as file:
            file.write(b"doctor")
        free_gb = shutil.disk_usage(data_dir).free / 1e9
    except OSError as error:
        raise RecordsError(
            f"{data_dir} cannot be written: {error.strerror or error}.",
            "Choose another data_dir, free some space, or give the station's user the right to write there.",
        ) from error
    if free_gb < MIN_FREE_GB:
        raise RecordsError(
            f"{data_dir} has {free_gb:.2f} GB free.",
            f"Free some space: a station should have {MIN_FREE_GB:g} GB.",
        )
    return f"{data_dir}, {free_gb:.1f} GB free"


def _records(data_dir: Path) -> str:
    history = History(data_dir)
    if not history.path.exists():
        return "none yet"
    history.verify()
    counters = history.counters()
    return f"{counters.total} inspections ever, the database is whole"


def _product(data_dir: Path, config: StationConfig, bundle: Bundle | None) -> str:
    told = []
    views = Products(data_dir).views(config.product)
    for product in views.values():
        if bundle is not None:
            check_learned_by(bundle.id, product)
        check_description(product.description, bundle)
        memory = product.memory()
        number = product.version.number
        told.append(
            f"{product.name} version {number}, {memory.references} references, boundary {memory.boundary:.2f}"
        )
    if len(views) > 1:
        views_by_camera(config.product, [*views], config.all_cameras, config.part_ids.source == "plc")
    return "; ".join(told)


def _cameras(cameras: Sequence[CameraSettings]) -> Iterator[CheckResult]:
    yield from _gige_host([camera for camera in cameras if camera.kind == "gige"])
    for camera in cameras:
        try:
            yield _picture(camera)
        except EdgeError as error:
            yield _wrong("camera", error)


def _gige_host(cameras: Sequence[GigESettings]) -> Iterator[CheckResult]:
    """Whether this machine is fit to receive these cameras."""
    if not cameras:
        return
    from edge.cameras.gige_host import check_host, is_address, reach

    routes = [reach(camera.device) for camera in cameras if is_address(camera.device)]
    for check in [*check_host(), *routes]:
        mark = CheckStatus.OK if check.good else CheckStatus.WRONG
        yield CheckResult(check.what, mark, check.found, check.remedy)


def _picture(settings: CameraSettings) -> CheckResult:
    """What the camera shows. One that waits for its trigger, or for a file, is not wrong."""
    from edge.cameras import EndOfStream, create_camera

    with create_camera(settings) as camera:
        try:
            frame = camera.read(_FRAME_WAIT_S)
        except EndOfStream:
            frame = None
        status = f"{camera.name} ({settings.kind}): {camera.status.detail}".removesuffix(": ")
        if frame is None:
            return CheckResult(
                "camera",
                CheckStatus.WARNING,
                f"{status}; no image within {_FRAME_WAIT_S:g} s",
                "Check the camera, its cable and its trigger, if parts were passing.",
            )
        if frame.image is None:
            return CheckResult("camera", CheckStatus.WRONG, frame.error)
        height, width = frame.image.shape[:2]
        return CheckResult("camera", CheckStatus.OK, f"{status}; {width}x{height} px")


def _brokers(config: StationConfig) -> Iterator[CheckResult]:
    from edge.messaging import Topics
    from edge.station.broker_probe import probe

    if not config.messaging.enabled:
        yield CheckResult(
            "broker", CheckStatus.WARNING, "none: verdicts are not published", "Add messaging.brokers."
        )
    settings = config.messaging
    for doubt in file_doubts(config):
        yield CheckResult("secret", CheckStatus.WARNING, *doubt)
    topics = Topics(settings.site, settings.line, settings.station or config.station.name)
    for broker in settings.brokers:
        probed = probe(settings, broker, topics)
        link = probed.link
        if not link.birth:
            yield CheckResult(
                "broker", CheckStatus.WRONG, f"{broker} {link.state.value}: {link.reason}", link.remedy
            )
        elif probed.forbidden:
            forbidden = "; ".join(f"{topic}: {reason}" for topic, reason in probed.forbidden.items())
            yield CheckResult(
                "broker",
                CheckStatus.WRONG,
                f"{broker} accepts the login but forbids {forbidden}",
                f"Let the account write and read {topics.prefix}/#; configs/mosquitto/acl shows how.",
            )
        else:
            yield CheckResult("broker", CheckStatus.OK, f"{broker} accepts the login")
        for doubt in broker_doubts(settings, broker):
            yield CheckResult("broker", CheckStatus.WARNING, *doubt)
        if probed.state:
            mark = CheckStatus.WRONG if probed.ails else CheckStatus.OK
            remedy = "It says so itself; what it names is in docs/station.md and docs/plc.md."
            yield CheckResult("station", mark, probed.state, remedy if probed.ails else "")
