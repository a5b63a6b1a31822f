"""A stick carries what a build needs: what arrives is what left, or is refused by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build_engines.sources import NeededFile
from build_engines.sources.stick import INDEX_NAME, bring_from, export_to, read_index
from edge.bundle import Origin
from edge.errors import SourceError

CONTENTS = {"wheels/a.whl": b"a wheel" * 99, "hub/makers--encoder/c0ffee/model.safetensors": b"weights" * 999}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own: the other machine's."""
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def needed(place: str, content: bytes | None = None) -> NeededFile:
    sha256 = hashlib.sha256(CONTENTS[place] if content is None else content).hexdigest()
    origin = Origin(what="weights", source="pypi:a==1", sha256=sha256, licence="MIT", upstream="the makers")
    return NeededFile(sha256, None, origin, place)


def written(tmp_path: Path, places: tuple[str, ...] = tuple(CONTENTS), preset: str = "one") -> Path:
    """A stick with these files on it."""
    files = {}
    for place in places:
        path = tmp_path / "here" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[place])
        files[needed(place)] = path
    export_to(tmp_path / "stick", preset, files)
    return tmp_path / "stick"


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def test_what_is_written_arrives(tmp_path: Path, cache: Path) -> None:
    stick = written(tmp_path)
    files = [needed(place) for place in CONTENTS]
    assert bring_from(stick, files) == files
    assert {place: (cache / place).read_bytes() for place in CONTENTS} == CONTENTS
    assert bring_from(stick, files) == []  # It is here now.
    assert left_behind(stick) == left_behind(cache) == []


def test_the_index_names_hash_size_licence_and_source(tmp_path: Path) -> None:
    content = json.loads((written(tmp_path) / INDEX_NAME).read_text())
    assert content["version"] == 1
    assert content["presets"] == ["one"]
    for file in content["files"]:
        held = CONTENTS[file["path"]]
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(held).hexdigest(), len(held))
        assert (file["licence"], file["source"], file["upstream"]) == ("MIT", "pypi:a==1", "the makers")


def test_one_stick_serves_several_presets(tmp_path: Path) -> None:
    first, second = CONTENTS
    written(tmp_path, (first,), "one")
    index = read_index(written(tmp_path, (second,), "two"))
    assert index.presets == ("one", "two")
    assert {file.path for file in index.files} == set(CONTENTS)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(sorted(CONTENTS)), at=st.integers(0, 692), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_naming_the_file(
    tmp_path: Path, cache: Path, place: str, at: int, bit: int
) -> None:
    stick = written(tmp_path)
    damaged = bytearray(CONTENTS[place])
    damaged[at] ^= 1 << bit
    (stick / place).write_bytes(damaged)
    with pytest.raises(SourceError, match="is damaged") as caught:
        bring_from(stick, [needed(place)])
    assert str(stick / place) in caught.value.message
    assert not (cache / place).exists()
    assert left_behind(cache) == []


def test_a_file_that_is_cut_short_or_gone_is_named(tmp_path: Path) -> None:
    stick, (place, _) = written(tmp_path), CONTENTS
    (stick / place).write_bytes(CONTENTS[place][:-1])
    with pytest.raises(SourceError, match=r"a\.whl is damaged"):
        bring_from(stick, [needed(place)])
    (stick / place).unlink()
    with pytest.raises(SourceError, match=r"Cannot read .*a\.whl"):
        bring_from(stick, [needed(place)])


def test_a_damaged_file_on_the_stick_is_written_again(tmp_path: Path) -> None:
    stick, (place, _) = written(tmp_path), CONTENTS
    (stick / place).write_bytes(b"damaged")
    assert (written(tmp_path) / place).read_bytes() == CONTENTS[place]


def test_a_stick_for_something_else_says_for_what(tmp_path: Path) -> None:
    stick = written(tmp_path)
    with pytest.raises(SourceError, match=r"lacks a\.whl .*it was written for one") as caught:
        bring_from(stick, [needed("wheels/a.whl", b"of a newer version")])
    assert "sha256" in caught.value.message


def test_a_folder_that_is_no_stick_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no files\.json") as caught:
        bring_from(tmp_path, [needed("wheels/a.whl")])
    assert "--export-to" in caught.value.remedy


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "wheels/../../outside", "a\\b", ".", ""])
def test_an_index_that_points_off_the_stick_is_refused(tmp_path: Path, path: str) -> None:
    stick = written(tmp_path)
    content = json.loads((stick / INDEX_NAME).read_text())
    content["files"][0]["path"] = path
    (stick / INDEX_NAME).write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"files\.json cannot be understood: files\.0\.path"):
        read_index(stick)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["version", "presets", "files", "path", "sha256", "bytes"]), inner
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_index_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / INDEX_NAME).write_bytes(content)
    try:
        read_index(tmp_path)
    except SourceError as error:
        assert INDEX_NAME in error.message
        assert "\n" not in str(error)


def test_a_stick_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "stick").write_bytes(b"a file where the folder should be")
    with pytest.raises(SourceError, match="Cannot write to") as caught:
        written(tmp_path)
    assert "another folder" in caught.value.remedy
