"""``pin``: an open preset becomes one that names exactly one set of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from build_engines.commands.pin import pin
from build_engines.presets import load_preset
from build_engines.sources import HubSource
from edge.errors import ConfigError, SourceError
from tests.build_engines.hub import (
    REPO,
    REVISION,
    ROLES,
    WEIGHTS,
    api_path,
    hub_preset,
    hub_source,
    path_of,
    publish,
)
from tests.build_engines.tiny import tiny_preset
from tests.file_server import FileServer, Served, file_server

OPEN: dict[str, Any] = {
    "revision": None,
    "files": {role: {"name": name, "sha256": None, "bytes": None} for role, name in ROLES.items()},
}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """The repository on a server."""
    for name in ("ANOMALYGPT_EDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with file_server() as server:
        publish(server)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def printed(*arguments: str | Path) -> str:
    result = CliRunner().invoke(pin, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_an_open_preset_is_printed_with_commit_hashes_and_sizes(hub: FileServer, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(printed(hub_preset(tmp_path, **OPEN)))
    made, written = load_preset(str(tmp_path / "mine.yaml")), load_preset(str(hub_preset(tmp_path)))
    assert made == written
    # The hub tells a large file's hash; only small files are read.
    assert hub.gets(path_of("model.safetensors")) == []
    assert made.source.fetch().read_bytes() == WEIGHTS


def test_a_revision_beside_the_main_branch_can_be_named(hub: FileServer, tmp_path: Path) -> None:
    reference = "refs/pr/7"
    hub.files[api_path(quote(reference, safe=""))] = hub.files.pop(api_path("main"))
    assert REVISION in printed(hub_preset(tmp_path, **OPEN), "--revision", reference)


def test_a_repository_with_a_pickle_only_is_answered_with_what_it_has(
    hub: FileServer, tmp_path: Path
) -> None:
    said = b'{"id": "a/b", "sha": "%s", "siblings": [{"rfilename": "pytorch_model.bin"}]}' % REVISION.encode()
    hub.files[api_path("main")] = Served(said, {"Content-Type": "application/json"})
    with pytest.raises(SourceError, match=r"no model\.safetensors at main, but pytorch_model\.bin") as caught:
        printed(hub_preset(tmp_path, **OPEN))
    assert "refs/pr/N" in caught.value.remedy


def test_an_unknown_branch_is_named(hub: FileServer, tmp_path: Path) -> None:
    hub.files[api_path("next")] = Served(status=404, headers={"X-Error-Code": "RevisionNotFound"})
    with pytest.raises(SourceError, match=f"{REPO} has no commit next"):
        printed(hub_preset(tmp_path, **OPEN), "--revision", "next")


def test_offline_nobody_is_asked(hub: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE forbids"):
        printed(hub_preset(tmp_path, **OPEN))
    assert hub.asked == []


def test_an_open_source_is_not_fetched(hub: FileServer) -> None:
    source = hub_source(**OPEN)
    assert not source.is_pinned
    assert hub_source().is_pinned
    for use in (source.fetch_all, source.missing, source.gathered):
        with pytest.raises(SourceError, match="is not pinned") as caught:
            use()
        assert "build_engines pin" in caught.value.remedy
    assert hub.asked == []


def test_half_a_pin_is_refused(tmp_path: Path) -> None:
    files = {"weights": {"name": "model.safetensors", "sha256": "0" * 64, "bytes": None}}
    with pytest.raises(ConfigError, match="one of sha256 and bytes"):
        load_preset(str(hub_preset(tmp_path, files=files)))


def test_a_preset_that_needs_no_hub_needs_no_pin(tmp_path: Path) -> None:
    assert not isinstance(tiny_preset(tmp_path).source, HubSource)
    with pytest.raises(SourceError, match="nothing from the hub"):
        printed(tmp_path / "tiny.yaml")
