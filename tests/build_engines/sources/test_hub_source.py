"""Weights from the hub: pinned, resumed, and refused with a reason; against a real server on loopback."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from build_engines.sources import HubSource
from edge.errors import SourceError
from tests.build_engines.hub import (
    CONTENTS,
    REPO,
    REVISION,
    WEIGHTS,
    hub_content,
    hub_source,
    path_of,
    publish,
)
from tests.file_server import FileServer, Served, file_server

TOKEN = "hf_" + "secret" * 5
WEIGHTS_PATH = path_of("model.safetensors")
JUST_WEIGHTS = {"weights": "model.safetensors"}
CUT = 12_000_000  # bytes
CAME = 10_000_000  # At least so many are here before the connection is cut.
FETCH = """
import sys
from build_engines.sources import HubSource
HubSource.model_validate_json(sys.argv[1]).fetch()
"""


@pytest.fixture(autouse=True)
def cache(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no token of the person who runs this."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return own_cache


def refused(source: HubSource) -> str:
    with pytest.raises(SourceError) as caught:
        source.fetch_all()
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def when_the_first_block_came(
    cache: Path, hub: FileServer, then: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Keeps connections that are to be cut open until most of it is here and ``then`` was called."""
    hub.goes_on.clear()

    def watch() -> None:
        while sum(path.stat().st_size for path in parts(cache)) < CAME:
            time.sleep(0.01)
        then()
        hub.goes_on.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        watcher.join(60)


def goes_on(asked: str | None) -> bool:
    """Whether a request asks for what was missing when the connection was cut."""
    found = re.fullmatch(r"bytes=(\d+)-", asked or "")
    return found is not None and CAME <= int(found[1]) <= CUT


def parts(cache: Path) -> list[Path]:
    return [path for path in cache.rglob(".partial/*") if path.suffix != ".lock"]


def test_every_file_comes_by_its_role_and_only_once(hub: FileServer, cache: Path) -> None:
    source = hub_source()
    files = source.fetch_all()
    assert {role: path.read_bytes() for role, path in files.items()} == {
        "weights": WEIGHTS,
        "config": CONTENTS["config.json"],
        "tokenizer": CONTENTS["tokenizer/tokenizer.json"],
    }
    assert files["tokenizer"].relative_to(files["weights"].parent) == Path("tokenizer/tokenizer.json")
    assert parts(cache) == []
    asked = len(hub.asked)
    assert source.fetch() == files["weights"]
    assert len(hub.asked) == asked


def test_a_manifest_names_each_file_with_commit_hash_and_licence() -> None:
    first, *others = hub_source(upstream="the makers").origins
    assert first.source == f"hf:{REPO}@{REVISION}/model.safetensors"
    assert (first.sha256, first.licence) == (hashlib.sha256(WEIGHTS).hexdigest(), "MIT")
    assert [origin.what for origin in others] == ["an encoder: config", "an encoder: tokenizer"]


@pytest.mark.parametrize("resets", [False, True])  # an orderly end, and a reset connection
def test_a_download_goes_on_where_the_connection_was_cut(hub: FileServer, cache: Path, resets: bool) -> None:
    hub.files[WEIGHTS_PATH].cuts, hub.files[WEIGHTS_PATH].resets = [CUT], resets
    with when_the_first_block_came(cache, hub):
        assert hub_source(JUST_WEIGHTS).fetch().read_bytes() == WEIGHTS
    first, second = hub.gets(WEIGHTS_PATH)
    assert first is None and goes_on(second)


def test_what_a_failed_download_brought_is_kept_for_the_next(hub: FileServer, cache: Path) -> None:
    hub.files[WEIGHTS_PATH].cuts = [CUT]

    def refuse() -> None:
        hub.files[WEIGHTS_PATH] = Served(status=500)

    with when_the_first_block_came(cache, hub, refuse):
        message = refused(hub_source(JUST_WEIGHTS))
    assert "HTTP 500" in message
    assert re.search(r"1[0-2]\.\d MB of 25\.0 MB are kept", message)
    publish(hub)
    assert hub_source(JUST_WEIGHTS).fetch().read_bytes() == WEIGHTS
    assert goes_on(hub.gets(WEIGHTS_PATH)[-1])


def test_a_killed_download_goes_on_where_it_was(hub: FileServer, cache: Path) -> None:
    hub.files[WEIGHTS_PATH].cuts = [CUT]
    source = hub_source(JUST_WEIGHTS)
    process = subprocess.Popen([sys.executable, "-c", FETCH, source.model_dump_json()])
    with when_the_first_block_came(cache, hub, process.kill):
        assert process.wait(60) != 0
    assert source.fetch().read_bytes() == WEIGHTS
    first, second = hub.gets(WEIGHTS_PATH)
    assert first is None and goes_on(second)


def test_a_server_without_ranges_sends_it_all_again(hub: FileServer) -> None:
    hub.files[WEIGHTS_PATH].cuts, hub.files[WEIGHTS_PATH].ranges = [CUT], False
    assert hub_source(JUST_WEIGHTS).fetch().read_bytes() == WEIGHTS


def test_two_who_want_one_file_fetch_it_once(hub: FileServer) -> None:
    source = hub_source(JUST_WEIGHTS)
    both = [threading.Thread(target=source.fetch) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(hub.gets(WEIGHTS_PATH)) == 1
    assert source.fetch().read_bytes() == WEIGHTS


def test_another_small_file_is_refused_and_removed(hub: FileServer, cache: Path) -> None:
    served = hub.files[path_of("config.json")]
    served.content = served.content.replace(b"8", b"9")
    assert "expected " + hashlib.sha256(CONTENTS["config.json"]).hexdigest() in refused(hub_source())
    assert parts(cache) == []
    assert not list(cache.rglob("config.json"))


@pytest.mark.usefixtures("hub")
def test_a_part_of_another_file_is_refused_and_removed_so_that_the_next_attempt_is_right(cache: Path) -> None:
    source = hub_source(JUST_WEIGHTS)
    part = cache / "hub" / ".partial" / f"{source.sha256[:16]}-model.safetensors"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * 20_000_000)
    assert "expected" in refused(source)
    assert source.fetch().read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [WEIGHTS[:-1] + b"?", WEIGHTS[:-1]])  # changed, or shorter
def test_another_large_file_is_not_even_begun(hub: FileServer, content: bytes) -> None:
    hub.files[WEIGHTS_PATH].content = content
    assert "a different file than the pinned one" in refused(hub_source())
    assert hub.gets(WEIGHTS_PATH) == []


def test_a_hub_that_sends_more_than_it_said_is_stopped(hub: FileServer, cache: Path) -> None:
    served = hub.files[WEIGHTS_PATH]
    served.headers |= {
        "X-Linked-Size": str(len(WEIGHTS)),
        "X-Linked-Etag": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    served.content = WEIGHTS + bytes(20_000_000)
    assert "more than the" in refused(hub_source(JUST_WEIGHTS))
    assert all(part.stat().st_size <= len(WEIGHTS) for part in parts(cache))


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "GatedRepo", "is gated"),  # nobody is logged in
        (403, "GatedRepo", "is gated"),  # logged in, terms not accepted
        (401, "RepoNotFound", "private or gated, or does not exist"),  # the hub says the same of all three
        (401, "", "a token with read access"),
        (403, "", "a token with read access"),
        (404, "RevisionNotFound", f"no commit {REVISION}"),
        (404, "EntryNotFound", "no file config.json"),
        (500, "", "HTTP 500"),
    ],
)
def test_a_refusal_says_why(hub: FileServer, status: int, code: str, words: str) -> None:
    hub.files[path_of("config.json")] = Served(status=status, headers={"X-Error-Code": code} if code else {})
    message = refused(hub_source())
    assert words in message
    assert ("HF_TOKEN" in message) == (status in (401, 403) or code == "RepoNotFound")
    assert hub.gets(WEIGHTS_PATH) == []  # The small files come first.


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: FileServer) -> None:
    with file_server() as elsewhere:
        elsewhere.files["/store"] = Served(WEIGHTS)
        moved = {
            "Location": f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/store",
            "X-Repo-Commit": REVISION,
        }
        moved |= {"X-Linked-Size": str(len(WEIGHTS)), "X-Linked-Etag": hashlib.sha256(WEIGHTS).hexdigest()}
        hub.files[WEIGHTS_PATH] = Served(status=302, headers=moved)
        assert hub_source().fetch().read_bytes() == WEIGHTS
    assert {asked.token for asked in hub.asked} == {f"Bearer {TOKEN}"}
    assert {asked.token for asked in elsewhere.asked} == {None}


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("HF_ENDPOINT", address)
        message = refused(hub_source())
    assert address in message
    assert "HF_ENDPOINT" in message
    assert "--from DIR" in message


@pytest.mark.parametrize("variable", ["ANOMALYGPT_EDGE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_says_what_is_missing_and_how_to_bring_it(
    hub: FileServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    source = hub_source(JUST_WEIGHTS)
    message = refused(source)
    for words in (
        "model.safetensors",
        "25.0 MB",
        source.sha256,
        f"hf:{REPO}@{REVISION}",
        variable,
        "--export-to",
    ):
        assert words in message
    assert hub.asked == []
    assert [file.name for file in source.missing()] == ["model.safetensors"]


def test_without_the_hubs_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "anomalygpt-edge[hub]" in refused(hub_source())


def test_a_pickle_under_another_name_is_refused_and_removed(hub: FileServer, cache: Path) -> None:
    content = b"PK\x03\x04 and so on"
    hub.files[WEIGHTS_PATH].content = content
    files = {
        "weights": {
            "name": "model.safetensors",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }
    }
    assert "is a pickle" in refused(hub_source(files=files))
    assert parts(cache) == []
    assert not list(cache.rglob("model.safetensors"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revision": "main"}, "revision"),  # a branch moves
        ({"repo": "../elsewhere"}, "repo"),
        ({"name": "pytorch_model.bin"}, "is a pickle"),
        ({"name": "model.gguf"}, "neither safetensors nor ONNX"),
        ({"name": "../model.safetensors"}, "no path inside a repository"),
        ({"name": "/model.safetensors"}, "no path inside a repository"),
        ({"sha256": "0"}, "sha256"),
        ({"bytes": 0}, "bytes"),
    ],
)
def test_what_is_not_pinned_or_not_read_is_refused_at_once(changes: dict[str, object], words: str) -> None:
    content = hub_content(JUST_WEIGHTS)
    own = {key: value for key, value in changes.items() if key in content}
    file = {**content["files"]["weights"], **{key: changes[key] for key in changes if key not in own}}  # type: ignore[index]
    with pytest.raises(ValueError, match=words):
        HubSource.model_validate({**content, **own, "files": {"weights": file}})


def test_a_source_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="no file has the role 'weights'"):
        hub_source({"config": "config.json"})
