"""Every package that is installed here came under terms that were agreed to: ``permitted_licences.yaml``."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from email.message import Message
from fnmatch import fnmatch
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from build_engines.assembly.installed import licence_of
from build_engines.language.language_half import LANGUAGE_ORIGINS
from build_engines.presets import load_preset
from edge.bundle import DEFAULT_BUNDLE

license_expression = pytest.importorskip("license_expression")
AGREED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("permitted_licences.yaml").read_text())
SPDX = license_expression.get_spdx_licensing()


def is_permitted(stated: str) -> bool:
    """Whether a package's terms are among those agreed to."""
    if not stated:
        return False
    parts = [AGREED["names"].get(part, part) for part in stated.split(" AND ")]
    try:
        return _holds(SPDX.parse(" AND ".join(f"({part})" for part in parts)))
    except license_expression.ExpressionError:
        return False


def _holds(expression: Any) -> bool:
    if isinstance(expression, SPDX.OR):
        return any(map(_holds, expression.args))
    if isinstance(expression, SPDX.AND):
        return all(map(_holds, expression.args))
    return str(expression) in AGREED["permitted"]


def excepted(name: str) -> Iterator[str]:
    return (pattern for pattern in AGREED["exceptions"] if fnmatch(name, pattern))


def installed() -> dict[str, str]:
    """The terms of every package of this environment, without what others carry inside of them."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return {canonicalize_name(one.metadata["Name"]): licence_of(one) for one in distributions(path=folders)}


def test_every_installed_package_came_under_terms_that_were_agreed_to() -> None:
    found = installed()
    refused = {
        name: stated or "it states none"
        for name, stated in found.items()
        if not is_permitted(stated) and not any(excepted(name))
    }
    assert len(found) > 20
    assert refused == {}, "Look at its terms, then add them, or the package with a reason, to the list."


def test_every_exception_is_needed_and_has_its_reason() -> None:
    found = installed()
    assert all(len(reason) > 20 for reason in AGREED["exceptions"].values())
    for pattern in AGREED["exceptions"]:
        met = {name: stated for name, stated in found.items() if fnmatch(name, pattern)}
        assert not met or not all(map(is_permitted, met.values())), pattern


def test_what_the_default_bundle_is_made_of_came_under_such_terms() -> None:
    origins = [*load_preset(DEFAULT_BUNDLE).source.origins, *LANGUAGE_ORIGINS]
    assert len(origins) == 2
    for origin in origins:
        assert is_permitted(origin.licence) and is_permitted(origin.upstream_licence), origin.what


@pytest.mark.parametrize(
    ("stated", "permitted"),
    [
        ("MIT", True),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("Apache-2.0 AND (GPL-3.0-only OR MIT)", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("MIT License AND BSD License", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("LicenseRef-NVIDIA-Proprietary", False),
        ("Other/Proprietary License", False),
        ("Free for (nearly", False),
        ("", False),
    ],
)
def test_terms_are_read_as_they_are_meant(stated: str, permitted: bool) -> None:
    assert is_permitted(stated) == permitted


@pytest.mark.parametrize(
    ("lines", "stated"),
    [
        ({"License-Expression": "MIT", "License": "other"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT License"),
        ({"License": "Apache-2.0"}, "Apache-2.0"),
        ({"License": "Copyright " * 100}, ""),  # a text where a name belongs
        ({}, ""),
    ],
)
def test_terms_are_found_where_a_package_states_them(
    tmp_path: Path, lines: dict[str, str], stated: str
) -> None:
    metadata = Message()
    for key, value in {"Name": "package", "Version": "1.0", **lines}.items():
        metadata[key] = value
    folder = tmp_path / "package-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(metadata.as_string())
    package: Distribution = PathDistribution(folder)
    assert licence_of(package) == stated
