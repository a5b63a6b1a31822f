"""What a station file may hold, read from its schema: for ``anomalygpt-edge schema`` and the docs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from edge.config.load import TOPIC_NAMES
from edge.config.schema import StationConfig
from edge.config.walk import KIND
from edge.errors import ConfigError

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SettingKey:
    """One key of a station file.

    Attributes:
        path: with its sections and ``[]`` after a list, such as ``messaging.brokers[].port``.
        kind: of the camera that has it; empty where every camera has, and outside of ``camera``.
        type: in words, such as ``integer``, ``list of text`` or ``wait | skip | latest``; or ``section``.
        range: what a value must keep to, such as ``0 to 1000``; empty where the type says all.
        default: as YAML; ``required``, or empty where the sentence says what happens without the key.
        sentence: what it is for.
    """

    path: str
    kind: str
    type: str
    range: str
    default: str
    sentence: str

    @property
    def is_section(self) -> bool:
        return self.type.endswith(("section", "sections"))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a station file, for editors and other programs.

    Looser than ``check``, which also holds keys against each other.
    """
    schema = StationConfig.model_json_schema()
    messaging = schema["$defs"]["MessagingSettings"]["properties"]
    for name in TOPIC_NAMES:  # the section `station` says these
        del messaging[name]
    names = [name for name in schema["properties"] if name != "cameras"]
    names.insert(names.index("camera") + 1, "cameras")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Station file",
        "description": "What a station of anomalygpt-edge needs to know.",
        "properties": {name: schema["properties"][name] for name in names},
        "anyOf": [{"required": ["camera"]}, {"required": ["cameras"]}],
    }


def station_keys() -> tuple[SettingKey, ...]:
    """Every key of a station file, each after the section that it is in."""
    schema = json_schema()
    return tuple(_Walk(schema["$defs"]).section(schema, "", ""))


def keys_below(wanted: str, keys: Sequence[SettingKey] | None = None) -> tuple[SettingKey, ...]:
    """The key of this name, such as ``messaging.outbox``, and all keys below it.

    Raises:
        ConfigError: there is none; the remedy names those that are meant.
    """
    keys = station_keys() if keys is None else keys
    name = _plain(wanted)
    found = tuple(key for key in keys if f"{_plain(key.path)}.".startswith(f"{name}."))
    if found:
        return found
    names = list(dict.fromkeys(_plain(key.path) for key in keys))
    last = name.rpartition(".")[2]
    near = [one for one in names if one.rpartition(".")[2] == last] or get_close_matches(name, names, n=3)
    meant = f"Did you mean {' or '.join(near)}?" if near else "'anomalygpt-edge schema' prints all of them."
    raise ConfigError(f"A station file has no key {wanted!r}.", meant)


def _plain(path: str) -> str:
    return path.replace("[]", "")


class _Walk:
    """From a JSON Schema to its keys; a definition that was walked once is not walked a second time."""

    def __init__(self, definitions: Mapping[str, Node]) -> None:
        self._definitions = definitions
        self._seen: set[str] = set()

    def section(self, node: Node, path: str, kind: str, besides: Sequence[str] = ()) -> Iterator[SettingKey]:
        """The keys of a section, without those in ``besides``."""
        required = node.get("required", ())
        for name, value in node["properties"].items():
            if name not in besides:
                yield from self._key(f"{path}{name}", kind, value, name in required)

    def _key(self, path: str, kind: str, node: Node, required: bool) -> Iterator[SettingKey]:
        value = _not_null(node)
        default = "required" if required else _default(node)
        is_list = "items" in value
        each = _not_null(value["items"]) if is_list else value
        models = self._models(each)
        sentence = str(node.get("description", ""))
        if models:
            # pydantic leaves a sentence out that the section's class has too.
            sentence = sentence or str(self._definitions[models[0]]["description"])
            yield SettingKey(path, kind, "list of sections" if is_list else "section", "", default, sentence)
            yield from self._below(path + ("[]." if is_list else "."), kind, models)
        else:
            type_ = f"list of {_type(each)}" if is_list else _type(value)
            yield SettingKey(path, kind, type_, _range(value), default, sentence)

    def _models(self, value: Node) -> list[str]:
        """The names of the definitions that a value may be."""
        return [str(one["$ref"]).rpartition("/")[2] for one in value.get("oneOf", [value]) if "$ref" in one]

    def _below(self, path: str, kind: str, models: Sequence[str]) -> Iterator[SettingKey]:
        names = [name for name in models if name not in self._seen]
        self._seen.update(names)
        if len(names) < 2:
            for name in names:
                yield from self.section(self._definitions[name], path, kind)
            return
        # A union: first what all have, and `kind` with what it may be, then what each has by itself.
        members = {name: self._definitions[name]["properties"] for name in names}
        kinds = {name: str(properties[KIND]["const"]) for name, properties in members.items()}
        first, *others = members.values()
        common = [name for name, node in first.items() if all(other.get(name) == node for other in others)]
        sentence = " ".join(f"{kinds[name]}: {members[name][KIND]['description']}" for name in names)
        yield SettingKey(f"{path}{KIND}", kind, " | ".join(kinds.values()), "", "required", sentence)
        for name in common:
            yield from self._key(f"{path}{name}", kind, first[name], False)
        for name in names:
            yield from self.section(self._definitions[name], path, kinds[name], (KIND, *common))


def _not_null(node: Node) -> Node:
    """The node's one choice beside null, where it has such."""
    choices = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
    return choices[0] if len(choices) == 1 else node


def _type(node: Node) -> str:
    if "enum" in node:
        return " | ".join(map(_as_yaml, node["enum"]))
    if node.get("format") == "path":
        return "path"
    names = {"string": "text", "boolean": "true | false", "object": "section of values"}
    return names.get(str(node["type"]), str(node["type"]))


def _range(node: Node) -> str:
    lowest, above = node.get("minimum"), node.get("exclusiveMinimum")
    highest, below = node.get("maximum"), node.get("exclusiveMaximum")
    said = []
    if lowest is not None and highest is not None:
        said = [f"{lowest:,} to {highest:,}"]
    else:
        said += [f"{lowest:,} or more"] if lowest is not None else []
        said += [f"more than {above:,}"] if above is not None else []
        said += [f"at most {highest:,}"] if highest is not None else []
    said += [f"less than {below:,}"] if below is not None else []
    said += [f"at most {node['maxLength']} characters"] if "maxLength" in node else []
    said += [f"matches {node['pattern']}"] if "pattern" in node else []
    return ", ".join(said)


def _default(node: Node) -> str:
    """A default as YAML; empty for null, for sections, and for one that is found out at run time."""
    default = node.get("default")
    if default is None or default == [] or isinstance(default, dict):
        return ""
    return f"[{', '.join(map(_as_yaml, default))}]" if isinstance(default, list) else _as_yaml(default)


def _as_yaml(value: str | float) -> str:
    """A value as a person writes it: in quotes only where YAML would take it for something else."""
    if isinstance(value, str):
        return value if value and yaml.safe_load(value) == value else f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else f"{value:.15g}"
