"""What the hub says of files today: commit, hashes and sizes, for a preset that leaves them open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from build_engines.sources.hub import HUB_OFFLINE_VARIABLE, HubFile, HubSource
from build_engines.sources.hub_library import HubAddress, endpoint, explained, require_library
from edge.errors import SourceError
from edge.fetch import sha256_of
from edge.offline import offline_by

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_DEFAULT_REVISION = "main"
_ASK_TIMEOUT_S = 20.0


def pinned(source: HubSource, revision: str | None = None) -> HubSource:
    """The source with commit, hashes and sizes as the hub gives them. Only small files are downloaded.

    Args:
        source: names the repository and the files.
        revision: branch, tag or commit; None for the source's own commit, else the main branch.

    Raises:
        SourceError: the hub cannot be reached or refuses, or the repository lacks a file.
    """
    variable = offline_by(HUB_OFFLINE_VARIABLE)
    if variable is not None:
        raise SourceError(f"{variable} forbids the network, and pinning needs the hub.", f"Unset {variable}.")
    require_library()
    from huggingface_hub import HfApi

    asked = revision or source.revision or _DEFAULT_REVISION
    address = HubAddress(source.repo, asked, "the list of files")
    with explained(address):
        info = HfApi(endpoint=endpoint()).model_info(
            source.repo, revision=asked, files_metadata=True, timeout=_ASK_TIMEOUT_S
        )
    held = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    for file in source.files.values():
        if file.name not in held:
            raise SourceError(
                f"{source.repo} has no {file.name} at {asked}, but {', '.join(sorted(held)) or 'no files'}.",
                "A conversion to safetensors is often proposed as a pull request: look at the repository's "
                "discussions, and select it with --revision refs/pr/N.",
            )
    files = {
        role: _as_the_hub_has_it(HubAddress(source.repo, info.sha, file.name), held[file.name])
        for role, file in source.files.items()
    }
    return source.model_copy(update={"revision": info.sha, "files": files})


def _as_the_hub_has_it(address: HubAddress, sibling: RepoSibling) -> HubFile:
    if sibling.lfs is not None:
        return HubFile(name=address.name, sha256=sibling.lfs.sha256, bytes=sibling.lfs.size)
    # Of a small file the hub knows git's hash only.
    from huggingface_hub import hf_hub_download

    with tempfile.TemporaryDirectory() as folder, explained(address):
        path = Path(
            hf_hub_download(
                address.repo, address.name, revision=address.revision, local_dir=folder, endpoint=endpoint()
            )
        )
        return HubFile(name=address.name, sha256=sha256_of(path), bytes=path.stat().st_size)
