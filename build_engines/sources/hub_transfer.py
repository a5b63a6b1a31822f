"""One file from the Hugging Face hub to this disk, going on where an earlier attempt was cut off.

The hub's own library speaks to it, so that its endpoint, token, proxy and certificates are used as
everywhere else. Its ``hf_hub_download`` goes on after a cut only while it runs: what it had is thrown away
when it gives up. So its parts are put together here around a file that stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from build_engines.sources.source import STICK_REMEDY, megabytes
from edge.errors import SourceError
from edge.fetch import Progress

ENDPOINT_VARIABLE = "HF_ENDPOINT"
_ASK_TIMEOUT_S = 20.0
_TOKEN_REMEDY = (
    "Accept its terms on its page with your account, make a token that may read it there, and set HF_TOKEN "
    "to the token."
)


@dataclass(frozen=True, slots=True)
class HubAddress:
    """A file on the hub: ``owner/name``, a commit, and the path inside the repository."""

    repo: str
    revision: str
    name: str

    @property
    def url(self) -> str:
        from huggingface_hub import hf_hub_url

        # The library reads the endpoint once, when it is imported.
        endpoint = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/") or None
        url: str = hf_hub_url(self.repo, self.name, revision=self.revision, endpoint=endpoint)
        return url


def transfer(address: HubAddress, part: Path, size: int, sha256: str, progress: Progress) -> None:
    """Brings ``part`` to its whole size; its content is still to be checked.

    Args:
        address: of the file.
        part: where it grows. What is there already is taken as the file's beginning.
        size: of the whole file, in bytes.
        sha256: of the whole file: one that the hub itself names differently is not even begun.
        progress: told the bytes that are there.

    Raises:
        SourceError: the hub cannot be reached, refuses, or has another file there; or the disk is full.
            What came until then stays in ``part``.
    """
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.utils import build_hf_headers

    headers = build_hf_headers(library_name="anomalygpt-edge")
    with _explained(address, part, size):
        url = address.url
        found = get_hf_file_metadata(url, headers=headers, timeout=_ASK_TIMEOUT_S)
        _refuse_another(address, found.size, found.etag, size, sha256)
        if _bytes_in(part) > size:
            part.unlink()
        _grow(url, headers, part, size, progress)


@contextmanager
def alone_on(part: Path) -> Iterator[None]:
    """Waits until no other process writes ``part``.

    Raises:
        SourceError: the hub's library is not installed, or the cache cannot be written.
    """
    _require_library()
    from filelock import FileLock  # The hub's library depends on it.

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{part}.lock"):
            yield
    except OSError as error:
        raise SourceError(
            f"Cannot write to {part.parent}: {error.strerror or error}.",
            "Free some space there, or set ANOMALYGPT_EDGE_CACHE to a folder that can be written.",
        ) from error


def _grow(url: str, headers: dict[str, str], part: Path, size: int, progress: Progress) -> None:
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get

    while True:
        before = _bytes_in(part)
        try:
            with part.open("ab") as file:
                http_get(
                    url,
                    file,
                    resume_size=before,
                    headers=headers,
                    expected_size=size,
                    tqdm_class=lambda **about: _Told(progress, about["initial"], size),
                )
            return
        except HTTPError as error:
            # The library goes on by itself after most cuts, not after a reset connection. As long as every
            # attempt brings something, so do we.
            if isinstance(error, HfHubHTTPError) or _bytes_in(part) <= before:
                raise


class _Told:
    """What the library takes for a progress bar: passes on how much is there, and minds the pinned size."""

    def __init__(self, progress: Progress, done: int, size: int) -> None:
        self._progress, self._done, self._size = progress, done, size

    def __enter__(self) -> _Told:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to close."""

    def update(self, count: int) -> None:
        self._done += count
        if self._done > self._size:
            raise SourceError(f"The hub sends more than the {self._size} bytes that the preset pins.")
        self._progress(self._done)


def _refuse_another(
    address: HubAddress, found_size: int | None, etag: str | None, size: int, sha256: str
) -> None:
    another = found_size is not None and found_size != size
    # Of a large file the hub's ETag is its sha256; of a small one it is git's hash.
    if etag is not None and len(etag) == len(sha256):
        another |= etag != sha256
    if another:
        raise SourceError(
            f"{address.name} of {address.repo} has {found_size} bytes and the mark {etag}, expected {size} "
            f"bytes and sha256 {sha256}.",
            "The hub serves another file than the pinned one; do not use it.",
        )


@contextmanager
def _explained(address: HubAddress, part: Path, size: int) -> Iterator[None]:
    """Turns the library's errors into sentences; the request's headers, with the token, are in none."""
    from httpx2 import HTTPError
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise SourceError(
            f"{address.repo} is gated: the hub wants to know who asks.", _TOKEN_REMEDY
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"The hub shows no repository {address.repo}: it is private or gated, or does not exist.",
            f"Check its name. {_TOKEN_REMEDY}",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(
            f"{address.repo} has no commit {address.revision}.", "Check the preset's revision."
        ) from error
    except errors.EntryNotFoundError as error:
        raise SourceError(
            f"{address.repo} has no file {address.name} at commit {address.revision}.",
            "Check the preset's files and its revision.",
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise SourceError(
                f"The hub refuses {address.name} of {address.repo} (HTTP {status}): it wants a token that "
                "may read it.",
                _TOKEN_REMEDY,
            ) from error
        raise SourceError(
            f"The hub answers HTTP {status} to {address.name} of {address.repo}{_kept(part, size)}.",
            "Try again later.",
        ) from error
    except (HTTPError, errors.FileMetadataError, errors.OfflineModeIsEnabled) as error:
        raise SourceError(
            f"Cannot fetch {address.name} of {address.repo} from {_host(address)}: "
            f"{_sentence(error)}{_kept(part, size)}.",
            f"Check the network, the proxy and {ENDPOINT_VARIABLE}, and try again. {STICK_REMEDY}",
        ) from error


def _kept(part: Path, size: int) -> str:
    done = _bytes_in(part)
    return (
        f" ({megabytes(done)} of {megabytes(size)} are kept, the next attempt goes on there)" if done else ""
    )


def _host(address: HubAddress) -> str:
    return "/".join(address.url.split("/")[:3])


def _sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def _bytes_in(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _require_library() -> None:
    try:
        import huggingface_hub  # noqa: F401 - asked for here, used above
    except ImportError as error:
        raise SourceError(
            "huggingface_hub is not installed, and these weights come from the Hugging Face hub.",
            f"Run: pip install 'anomalygpt-edge[hub]'. {STICK_REMEDY}",
        ) from error
