"""One flipped byte in any file of a real bundle, and nothing of the bundle is used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.bundle import MANIFEST_NAME, SEAL_NAME, Bundle
from edge.errors import BundleError


def test_a_flipped_byte_in_each_file_is_refused_and_the_file_named(
    tmp_path: Path, speaking_bundle: Bundle
) -> None:
    """Graph, language model, learned rows, manifest and seal; at the beginning, inside and at the end."""
    names = sorted(path.name for path in speaking_bundle.path.iterdir())
    assert names == sorted([*speaking_bundle.manifest.files, MANIFEST_NAME, SEAL_NAME])
    assert len(names) == 5, "a graph, a GGUF and rows among them"
    for name in names:
        # The others are links: of the language model's 90 MB there is one copy at a time.
        folder = tmp_path / name
        folder.mkdir()
        for other in names:
            if other != name:
                (folder / other).symlink_to(speaking_bundle.path / other)
        damaged = Path(shutil.copy(speaking_bundle.path / name, folder))
        size = damaged.stat().st_size
        for at in (0, size // 3, size - 1):
            flip(damaged, at)
            with pytest.raises(BundleError, match=name):
                Bundle.load(folder)
            flip(damaged, at)
        Bundle.load(folder)
        damaged.unlink()


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 0x10]))
