"""Pictures and Debian packages that the tests make themselves."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from edge.fetch import sha256_of
from edge.image_types import Image
from models.data.debian import DebianPackage
from models.data.free_images import FreeImage
from models.data.usable import judge


def read(path: Path) -> Image:
    """The picture in a file that must be there and whole, uint8 (H, W, 3)."""
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(image, np.uint8)


def texture(seed: int = 0, side: int = 300, tint: tuple[float, float, float] = (0.6, 0.8, 1.0)) -> Image:
    """A grained surface, uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 120, (side, side)).astype(np.float32), (0, 0), 2)
    return np.asarray(np.clip((150 + grain[..., None]) * np.array(tint), 0, 255), np.uint8)


def cut_out(seed: int = 0, side: int = 240) -> Image:
    """A grained disc with nothing around it, uint8 (side, side, 4)."""
    alpha = np.zeros((side, side), np.uint8)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 12, 255, -1, cv2.LINE_AA)
    return np.asarray(cv2.merge([texture(seed + 500, side), alpha]), np.uint8)


def png(picture: Image) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def pictures(folder: Path, surfaces: int, objects: int) -> list[FreeImage]:
    """Free images as an index lists them, from two packages."""
    images = []
    for number in range(surfaces + objects):
        picture = texture(number) if number < surfaces else cut_out(number)
        usable = judge(picture)
        assert usable is not None
        path = folder / f"{usable.kind}{number}.png"
        path.write_bytes(png(picture))
        package = f"textures-{number % 2}"
        words = "tex wood" if usable.kind == "surface" else "a wheel"
        images.append(
            FreeImage(
                path, package, "CC0-1.0", usable.kind, words, f"{package}/{path.name}", usable.fingerprint
            )
        )
    return images


def deb(
    folder: Path, files: Mapping[str, bytes], version: str = "1.0", licence: bool = True
) -> DebianPackage:
    """A package ``edge-textures`` in ``folder`` with those files, and the entry that pins it."""
    root = folder / f"root-{version}"
    members = {"DEBIAN/control": _CONTROL.format(version=version).encode(), **files}
    if licence:
        members["usr/share/doc/edge-textures/copyright"] = b"License: CC0-1.0\n"
    for name, content in members.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    built = folder / f"edge-textures_{version}_all.deb"
    command = ["dpkg-deb", "--build", "--root-owner-group", str(root), str(built)]
    subprocess.run(command, check=True, capture_output=True)
    return DebianPackage(
        name="edge-textures",
        version=version,
        sha256=sha256_of(built),
        bytes=built.stat().st_size,
        licence="CC0-1.0",
        upstream="the tests",
        leave_out=("*/menu/*",),
    )


def repository(folder: Path, debs: Path) -> Path:
    """An apt configuration that knows the .debs of one folder and nothing else; ``APT_CONFIG`` names it."""
    entries = []
    for file in sorted(debs.glob("*.deb")):
        fields = subprocess.run(
            ["dpkg-deb", "-f", str(file)], check=True, capture_output=True, text=True
        ).stdout
        entries.append(
            f"{fields}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {sha256_of(file)}\n"
        )
    (debs / "Packages").write_text("\n".join(entries))
    for needed in ("state/lists/partial", "cache/archives/partial"):
        (folder / needed).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{debs} ./\n")
    config = folder / "apt.conf"
    config.write_text(
        f'Dir::State "{folder}/state";\nDir::State::status "{folder}/status";\n'
        f'Dir::Cache "{folder}/cache";\nDir::Etc::sourcelist "{folder}/sources.list";\n'
        'Dir::Etc::sourceparts "/dev/null";\nAPT::Sandbox::User "";\n'
    )
    environment = {"APT_CONFIG": str(config), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run(["apt-get", "update"], env=environment, check=True, capture_output=True)
    return config


def zipped(files: Mapping[str, bytes], at: Path) -> bytes:
    with zipfile.ZipFile(at, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return at.read_bytes()


_CONTROL = """\
Package: edge-textures
Version: {version}
Architecture: all
Maintainer: the tests <tests@example.org>
Description: textures
"""
