"""A hub on 127.0.0.1, as far as files of a repository at a commit go, and sources that name its files."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import yaml

from build_engines.sources import HubSource
from tests.file_server import FileServer, Served

REPO, REVISION = "makers/encoder", "c0ffee" * 6 + "beef"
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [25_000_000], "data_offsets": [0, 25_000_000]}}).encode()
# Longer than the ten size_in_words that the hub's library writes at a time.
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + random.Random(0).randbytes(25_000_000)
CONTENTS = {
    "model.safetensors": WEIGHTS,
    "config.json": b'{"hidden_size": 8}',
    "tokenizer/tokenizer.json": b'{"version": "1.0"}',
}
_LARGE = 1_000_000
ROLES = {"weights": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer/tokenizer.json"}


def path_of(name: str, revision: str = REVISION) -> str:
    """Where the hub serves a file of the repository."""
    return f"/{REPO}/resolve/{revision}/{name}"


def api_path(revision: str) -> str:
    """Where the hub lists the repository's files."""
    return f"/api/models/{REPO}/revision/{revision}?blobs=true"


def publish(server: FileServer) -> None:
    """Puts the repository on the server. A large file's ETag is its sha256, a small one's git's hash."""
    for name, content in CONTENTS.items():
        headers = {"X-Repo-Commit": REVISION}
        if len(content) < _LARGE:
            blob = b"blob %d\0" % len(content) + content
            headers["ETag"] = f'"{hashlib.sha1(blob).hexdigest()}"'
        server.files[path_of(name)] = Served(content, headers)
    siblings = [{"rfilename": name, "size": len(each), **_lfs(each)} for name, each in CONTENTS.items()]
    said = json.dumps({"id": REPO, "sha": REVISION, "siblings": siblings}).encode()
    server.files[api_path("main")] = Served(said, {"Content-Type": "application/json"})


def hub_source(roles: dict[str, str] | None = None, **changes: object) -> HubSource:
    """A source of the repository's files.

    Args:
        roles: the files by their roles.
        changes: of the source.
    """
    return HubSource.model_validate({**hub_content(roles), **changes})


def hub_content(roles: dict[str, str] | None = None) -> dict[str, object]:
    """The source as a preset file says it."""
    return {
        "kind": "hf",
        "what": "an encoder",
        "repo": REPO,
        "revision": REVISION,
        "licence": "MIT",
        "files": {role: _pinned(name) for role, name in (roles or ROLES).items()},
    }


def hub_preset(folder: Path, **changes: object) -> Path:
    """A preset file whose weights come from the hub."""
    content = {
        "name": "hubbed",
        "family": "dinov2",
        "source": {**hub_content(), **changes},
        "input_size": 84,
        "taps": [1, 2],
        "allowed_taps": [1, 2, 3],
        "precisions": ["fp32"],
    }
    file = folder / "hubbed.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def _lfs(content: bytes) -> dict[str, object]:
    """What the hub says of a large file."""
    if len(content) < _LARGE:
        return {}
    about = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return {"lfs": about}


def _pinned(name: str) -> dict[str, object]:
    content = CONTENTS[name]
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
