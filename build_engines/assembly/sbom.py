"""The bill of materials of a bundle: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/.

It names the bundle's files, what they were made of and under which terms, and the Python packages that made
and run it, as they are installed where it is written. It holds no date: the same bundle and packages give the
same bytes.
"""

from __future__ import annotations

import json
import uuid
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

import edge
from build_engines.assembly.installed import licence_of, needed_by
from edge.bundle import MANIFEST_NAME, Bundle, Origin
from edge.errors import BundleError
from edge.fetch import sha256_of
from edge.whole_file import write_whole

SBOM_NAME = "sbom.cdx.json"
_PROGRAM = "anomalygpt-edge"
_EXTRAS = ("build", "language")

Json = dict[str, Any]


def write_sbom(bundle: Bundle, target: Path | None = None) -> Path:
    """Writes a bundle's bill of materials, whole or not at all.

    Args:
        bundle: an intact one.
        target: the file; None for one beside the manifest, which does not list it, since it holds its hash.

    Raises:
        BundleError: it cannot be written.
    """
    target = target or bundle.path / SBOM_NAME
    try:
        write_whole(target, json.dumps(sbom(bundle), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise BundleError(
            f"Cannot write {target}: {error.strerror}.", "Choose another file with --out."
        ) from error
    return target


def sbom(bundle: Bundle) -> Json:
    """A bundle's bill of materials, as JSON has it."""
    manifest = bundle.manifest
    files = [_file(bundle, name) for name in sorted(manifest.files)]
    origins = [_origin(origin) for origin in manifest.origins]
    packages = [_package(package) for package in needed_by(_PROGRAM, _EXTRAS)]
    seal = sha256_of(bundle.path / MANIFEST_NAME)
    whole = {
        "type": "machine-learning-model",
        "bom-ref": f"bundle:{bundle.id}",
        "name": bundle.name,
        "version": bundle.id.removeprefix(f"{bundle.name}-"),
        "description": "A model bundle; the hash is its manifest's.",
        "hashes": [_sha256(seal)],
    }
    components = [*files, *origins, *packages]
    content = json.dumps([whole, components], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, content).urn,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": _PROGRAM, "version": edge.__version__}]},
            "component": whole,
        },
        "components": components,
        "dependencies": [
            {"ref": whole["bom-ref"], "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }


def _file(bundle: Bundle, name: str) -> Json:
    described, language = bundle.manifest.files[name], bundle.manifest.language
    # What was trained for the language model, and on what, goes with the rows that it is prompted with.
    trained = language.trained.items() if language is not None and name == language.base_rows else ()
    return {
        "type": "machine-learning-model",
        "bom-ref": f"file:{name}",
        "name": name,
        "version": described.sha256[:8],
        "hashes": [_sha256(described.sha256)],
        "properties": [
            _property("bytes", described.bytes),
            *(_property(f"trained:{k}", v) for k, v in trained),
        ],
    }


def _origin(origin: Origin) -> Json:
    """Such as ``pypi:package==version/member`` or ``hf:owner/repository@commit/file``."""
    kind, _, place = origin.source.partition(":")
    component: Json = {
        "type": "machine-learning-model",
        "bom-ref": f"origin:{origin.sha256}",
        "name": origin.what,
        "hashes": [_sha256(origin.sha256)],
        "properties": [_property("source", origin.source)],
    }
    separator = {"pypi": "==", "hf": "@"}.get(kind, "")
    if separator and separator in place:
        name, _, rest = place.partition(separator)
        component["version"] = rest.partition("/")[0]
        component["purl"] = f"pkg:{'huggingface' if kind == 'hf' else kind}/{name}@{component['version']}"
    if origin.upstream:
        ancestor = {"type": "machine-learning-model", "name": origin.upstream}
        component["pedigree"] = {"ancestors": [ancestor | _with_licences(origin.upstream_licence)]}
    return component | _with_licences(origin.licence)


def _package(package: Distribution) -> Json:
    name = canonicalize_name(package.metadata["Name"])
    purl = f"pkg:pypi/{name}@{package.version}"
    component = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
    }
    return component | _with_licences(licence_of(package))


def _with_licences(stated: str) -> Json:
    if not stated:
        return {}
    try:
        return {"licenses": [{"expression": str(canonicalize_license_expression(stated))}]}
    except InvalidLicenseExpression:
        return {"licenses": [{"license": {"name": stated}}]}


def _property(name: str, value: object) -> Json:
    return {"name": f"{_PROGRAM}:{name}", "value": str(value)}


def _sha256(digest: str) -> Json:
    return {"alg": "SHA-256", "content": digest}
