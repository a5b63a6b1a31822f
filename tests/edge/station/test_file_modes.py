"""What a station writes is for its account and its group; what is secret is for its account alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge.bundle import Bundle
from edge.paths import CACHE_VARIABLE
from tests.edge.parts import write_parts


def run(*words: str | Path, env: dict[str, str], umask: int = 0) -> None:
    """Runs Python with these arguments where files are by default for everybody to write."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        env={**os.environ, **env},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder.parent)): stat.filemode(path.lstat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


def test_nothing_of_a_station_is_for_everybody(tiny_bundle: Bundle, tmp_path: Path) -> None:
    """Products, records, images, outbox, and what it keeps in the cache."""
    parts, kept = tmp_path / "parts", tmp_path / "kept"
    data = kept / "data"
    write_parts(parts, good=2, stained=1)
    station = tmp_path / "station.yaml"
    content = {
        "station": {"site": "plant", "line": "a", "name": "cell-3"},
        "product": "plate",
        "bundle": str(tiny_bundle.path),
        "data_dir": str(data),
        "camera": {"kind": "folder", "path": str(parts)},
        "records": {"min_free_gb": 0, "keep_images": "all"},
        "messaging": {"brokers": [{"host": "127.0.0.1", "port": 1}]},  # nobody is there: the outbox fills
        "verdict": {"decided_by": "calibration"},
    }
    station.write_text(yaml.safe_dump(content))
    env = {CACHE_VARIABLE: str(kept / "cache")}
    enroll = ("enroll", "--product", "plate", "--data-dir", data, "--bundle", tiny_bundle.path)
    run("edge", *enroll, *sorted(parts.glob("*.png")), env=env)
    run("edge", "run", station, "--plain", env=env)
    written = modes(kept)
    for kind in ("products/plate/*", "images/*/*", "*.sqlite", "outbox*"):
        assert list(data.glob(kind)), sorted(written)
    assert {path: mode for path, mode in written.items() if mode[5] == "w" or mode[7:] != "---"} == {}


def test_a_stricter_account_stays_stricter(tmp_path: Path, tiny_bundle: Bundle) -> None:
    parts, data = tmp_path / "parts", tmp_path / "data"
    write_parts(parts, good=1)
    enroll = ("enroll", "--product", "plate", "--data-dir", data, "--bundle", tiny_bundle.path)
    run("edge", *enroll, *parts.glob("*.png"), env={CACHE_VARIABLE: str(tmp_path / "cache")}, umask=0o077)
    assert {mode[4:] for mode in modes(data).values()} == {"------"}


@pytest.mark.parametrize("umask", [0, 0o022])
def test_a_key_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    made = tmp_path / "certificates"
    run(
        "edge",
        "certificates",
        made,
        "--broker",
        "localhost",
        "--client",
        "cell-3",
        env={},
        umask=umask,
    )
    assert modes(made) == {
        "certificates": "drwxr-x---",
        **{f"certificates/{name}.crt": "-rw-r-----" for name in ("ca", "broker", "cell-3")},
        **{f"certificates/{name}.key": "-rw-------" for name in ("ca", "broker", "cell-3")},
    }
