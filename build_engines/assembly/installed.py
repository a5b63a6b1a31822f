"""The packages that are installed here: which a program needs, and what terms each came under."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_OSI = "License :: OSI Approved :: "
_LONGEST_NAME = 100  # Some packages have the whole text where a name belongs.


def needed_by(name: str, extras: Collection[str] = ()) -> list[Distribution]:
    """What is installed of a package and of all that it needs, itself first; nothing where it is not there.

    Args:
        name: of the package.
        extras: of it, whose requirements count too.
    """
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        key = canonicalize_name(package)
        if (key, extra) in asked:
            continue
        asked.add((key, extra))
        try:
            found.setdefault(key, distribution(package))
        except PackageNotFoundError:  # For another system, or an extra that nobody wanted here.
            continue
        for line in found[key].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, each) for each in ("", *requirement.extras)]
    first = canonicalize_name(name)
    return [found[key] for key in sorted(found, key=lambda key: (key != first, key))]


def licence_of(package: Distribution) -> str:
    """A package's terms as its metadata states them, an SPDX expression where it has one; else empty."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = metadata.get_all("Classifier") or []
    named = [value.removeprefix(_OSI) for value in classifiers if value.startswith(_OSI)]
    if named:
        return " AND ".join(named)
    text = metadata["License"].strip() if "License" in metadata else ""
    return text.splitlines()[0] if 0 < len(text) <= _LONGEST_NAME else ""
