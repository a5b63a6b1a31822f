"""From a station file to a :class:`StationConfig`, or to everything that is wrong with it."""

from __future__ import annotations

import errno
from pathlib import Path

from pydantic import ValidationError

from edge.bounded import SMALL_FILE_BYTES, read_up_to
from edge.config.document import Document, SyntaxProblem, parse
from edge.config.problems import Problem, StationFileError, repeated_keys, schema_problems
from edge.config.schema import StationConfig
from edge.config.walk import with_absolute_paths
from edge.paths import absolute

#: Keys of ``messaging`` that the section ``station`` decides, and their names there.
TOPIC_NAMES = {"site": "site", "line": "line", "station": "name"}


def load_station(path: Path) -> StationConfig:
    """The station that a file describes.

    Relative paths in the file are resolved against the file's folder, and every path in the result is
    absolute. ``messaging`` gets its topic names from ``station``.

    Raises:
        StationFileError: with every problem of the file at once.
    """
    document = _parsed(path)
    problems = [*repeated_keys(path, document), *_names_told_twice(path, document)]
    try:
        config = StationConfig.model_validate(document.data)
    except ValidationError as error:
        problems += schema_problems(path, document, StationConfig, error.errors(include_url=False))
        raise StationFileError(problems) from None
    if problems:
        raise StationFileError(problems)
    return _completed(config, path.absolute().parent)


def _parsed(path: Path) -> Document:
    try:
        with path.open("rb") as file:  # a pipe too: check <(make-station-file)
            content = read_up_to(file, SMALL_FILE_BYTES, path)
    except OSError as error:
        why = " and so cannot be a station file" if error.errno == errno.EFBIG else ""
        raise _unusable(path, f"cannot be read: {error.strerror or error}{why}") from error
    try:
        document = parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "is not UTF-8 text; save it as UTF-8", line, 1) from error
    except SyntaxProblem as error:
        raise _unusable(path, error.reason, error.place.line, error.place.column) from error
    if document.data is None:
        raise _unusable(path, "is empty; a station file has at least station, product and camera")
    return document


def _unusable(path: Path, reason: str, line: int = 0, column: int = 0) -> StationFileError:
    return StationFileError([Problem(path, line, column, "", "", reason)])


def _names_told_twice(path: Path, document: Document) -> list[Problem]:
    problems = []
    for name, in_station in TOPIC_NAMES.items():
        place = document.keys.get(("messaging", name))
        if place is not None:
            reason = f"is already set by station.{in_station}; remove it here"
            problems.append(Problem(path, place.line, place.column, f"messaging.{name}", "", reason))
    return problems


def _completed(config: StationConfig, folder: Path) -> StationConfig:
    """The configuration with absolute paths, and the topic names where messaging looks for them."""
    config = with_absolute_paths(config, folder)
    bundle = config.bundle
    if bundle is not None and ("/" in bundle or bundle.startswith("~")):
        bundle = str(absolute(Path(bundle), folder))
    names = {name: getattr(config.station, in_station) for name, in_station in TOPIC_NAMES.items()}
    messaging = config.messaging.model_copy(update=names)
    return config.model_copy(update={"bundle": bundle, "messaging": messaging})
