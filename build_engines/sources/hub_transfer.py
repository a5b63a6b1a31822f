"""One file from the Hugging Face hub to this disk, going on where an earlier attempt was cut off.

The hub's own library gives the HTTP client and the headers, so that its endpoint, token, proxy and
certificates are used as everywhere else. Its ``hf_hub_download`` goes on after a cut only while it runs: what
it had is thrown away when it gives up. So the file is read here, into one that stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_engines.sources.hub_library import HubAddress, explained, require_library
from build_engines.sources.source import size_in_words
from edge.errors import SourceError
from edge.fetch import BytesReceived

_ASK_TIMEOUT_S = 20.0
_READ_TIMEOUT_S = 20.0
_FRUITLESS = 5
_PAUSE_S = 1.0
_PARTIAL = 206
_BUSY = frozenset({408, 429})


def transfer(address: HubAddress, part: Path, size: int, sha256: str, progress: BytesReceived) -> None:
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
    with explained(address, lambda: _kept(part, size)):
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
    require_library()
    from filelock import FileLock

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{part}.lock"):
            yield
    except OSError as error:
        raise SourceError(
            f"Cannot write to {part.parent}: {error.strerror or error}.",
            "Free some space there, or set ANOMALYGPT_EDGE_CACHE to a writable folder.",
        ) from error


def _grow(url: str, headers: dict[str, str], part: Path, size: int, progress: BytesReceived) -> None:
    """Reads on until ``part`` is whole; gives up after several attempts in a row that brought nothing."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    fruitless = 0
    while (before := _bytes_in(part)) < size:
        try:
            _read_on(url, headers, part, size, progress)
        except HTTPError as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code not in _BUSY:
                raise
            fruitless = 0 if _bytes_in(part) > before else fruitless + 1
            if fruitless >= _FRUITLESS:
                raise
            time.sleep(_PAUSE_S)


def _read_on(url: str, headers: dict[str, str], part: Path, size: int, progress: BytesReceived) -> None:
    """One request for what is missing; what comes is in ``part`` also where the connection is cut."""
    from httpx2 import RemoteProtocolError
    from huggingface_hub import get_session, hf_raise_for_status

    done = _bytes_in(part)
    # As it is: of a compressed answer no byte could be asked for by its place.
    asked = {**headers, "Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
    with get_session().stream("GET", url, headers=asked, timeout=_READ_TIMEOUT_S) as response:
        hf_raise_for_status(response)
        if response.status_code != _PARTIAL:
            done = 0  # It sends the whole file, whatever was asked for.
        with part.open("ab") as file:
            file.truncate(done)
            for block in response.iter_raw():
                done += len(block)
                if done > size:
                    raise SourceError(f"The hub sends more than the {size} bytes that the preset pins.")
                file.write(block)
                progress(done)
    if done < size:
        raise RemoteProtocolError(f"the connection ended after {done} of {size} bytes")


def _refuse_another(
    address: HubAddress, found_size: int | None, etag: str | None, size: int, sha256: str
) -> None:
    another = found_size is not None and found_size != size
    # Of a large file the hub's ETag is its sha256; of a small one it is git's hash.
    if etag is not None and len(etag) == len(sha256):
        another |= etag != sha256
    if another:
        raise SourceError(
            f"{address.name} of {address.repo} has {found_size} bytes and the ETag {etag}, expected {size} "
            f"bytes and sha256 {sha256}.",
            "The hub serves a different file than the pinned one; do not use it.",
        )


def _kept(part: Path, size: int) -> str:
    done = _bytes_in(part)
    return (
        f" ({size_in_words(done)} of {size_in_words(size)} are kept, the next attempt goes on there)"
        if done
        else ""
    )


def _bytes_in(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
