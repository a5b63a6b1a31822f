"""The Hugging Face hub's own library: asked for where it is needed, its errors turned into sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from build_engines.sources.source import STICK_REMEDY
from edge.errors import SourceError

ENDPOINT_VARIABLE = "HF_ENDPOINT"
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

        url: str = hf_hub_url(self.repo, self.name, revision=self.revision, endpoint=endpoint())
        return url


def require_library() -> None:
    """Raises:
    SourceError: the hub's library is not installed.
    """
    try:
        import huggingface_hub  # noqa: F401 - asked for here, used elsewhere
    except ImportError as error:
        raise SourceError(
            "huggingface_hub is not installed, and these weights come from the Hugging Face hub.",
            f"Run: pip install 'anomalygpt-edge[hub]'. {STICK_REMEDY}",
        ) from error


def endpoint() -> str | None:
    """The mirror that is to be asked instead of the hub; the library itself reads it once, at its import."""
    return os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/") or None


@contextmanager
def explained(address: HubAddress, kept: Callable[[], str] = str) -> Iterator[None]:
    """Turns the library's errors into sentences; the request's headers, with the token, are in none.

    Args:
        address: that is asked.
        kept: says what an interrupted download leaves for the next attempt.

    Raises:
        SourceError: for every error of the library.
    """
    from httpx2 import HTTPError
    from huggingface_hub import errors

    repo, file = address.repo, f"{address.name} of {address.repo}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise SourceError(f"{repo} is gated: the hub requires a login.", _TOKEN_REMEDY) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"The hub does not show a repository {repo}: it is private or gated, or does not exist.",
            f"Check its name. {_TOKEN_REMEDY}",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"{repo} has no commit {address.revision}.", "Check the revision.") from error
    except errors.EntryNotFoundError as error:
        raise SourceError(
            f"{repo} has no file {address.name} at commit {address.revision}.",
            "Check the preset's files and its revision.",
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise SourceError(
                f"The hub refuses {file} (HTTP {status}): it requires a token with read access.",
                _TOKEN_REMEDY,
            ) from error
        raise SourceError(f"The hub answers HTTP {status} to {file}{kept()}.", "Try again later.") from error
    except (HTTPError, errors.FileMetadataError, errors.OfflineModeIsEnabled) as error:
        raise SourceError(
            f"Cannot fetch {file} from {_host(address)}: {_sentence(error)}{kept()}.",
            f"Check the network, the proxy and {ENDPOINT_VARIABLE}, and try again. {STICK_REMEDY}",
        ) from error


def _host(address: HubAddress) -> str:
    return "/".join(address.url.split("/")[:3])


def _sentence(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return said[0].rstrip(".") if said else type(error).__name__
