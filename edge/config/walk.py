"""Following a path of keys through a schema and through the data that was checked against it.

Pydantic's error locations also name what is not in the file, such as which member of a union was
tried; these functions tell the two apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from edge.config.document import KeyPath
from edge.paths import absolute

#: The key that tells the members of a union apart, such as the kinds of cameras.
KIND = "kind"

Model = TypeVar("Model", bound=BaseModel)


def locate(schema: type[BaseModel], data: Any, location: tuple[int | str, ...]) -> KeyPath:
    """The path of keys in the file that an error location of pydantic speaks of.

    A key that is missing or unknown is the path's last element.
    """
    path: list[int | str] = []
    models: list[type[BaseModel]] = [schema]
    here = data
    for position, key in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict) and isinstance(key, str):
            if len(models) > 1 and here.get(KIND) == key:
                models = _chosen(models, key)
                continue
            if key not in here and not (last and any(key in model.model_fields for model in models)):
                continue  # the name of a type that was tried
            path.append(key)
            models = _below(models, key)
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int):
            path.append(key)
            here = here[key] if key < len(here) else None
    return tuple(path)


def keys_of(schema: type[BaseModel], data: Any, path: KeyPath) -> list[str]:
    """The keys that the section at ``path`` may have; of a union, those of the member that ``kind`` names."""
    models: list[type[BaseModel]] = [schema]
    here = data
    for key in path:
        if isinstance(key, str):
            models = _below(models, key)
        here = here[key]
    models = _chosen(models, here.get(KIND) if isinstance(here, dict) else None)
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def kinds_of(schema: type[BaseModel], path: KeyPath) -> list[str]:
    """What ``kind`` may be in the section at ``path``."""
    models: list[type[BaseModel]] = [schema]
    for key in path:
        if isinstance(key, str):
            models = _below(models, key)
    return [kind for model in models for kind in _kinds(model)]


def with_absolute_paths(model: Model, base: Path) -> Model:
    """The model with every relative path in it, however deep, seen from ``base``."""
    return model.model_copy(update={name: _absolute(value, base) for name, value in model})


def _absolute(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return absolute(value, base)
    if isinstance(value, BaseModel):
        return with_absolute_paths(value, base)
    if isinstance(value, tuple | list):
        return type(value)(_absolute(entry, base) for entry in value)
    return value


def _below(models: list[type[BaseModel]], key: str) -> list[type[BaseModel]]:
    fields = [model.model_fields[key] for model in models if key in model.model_fields]
    return [inner for field in fields for inner in _models_in(field.annotation)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _chosen(models: list[type[BaseModel]], kind: Any) -> list[type[BaseModel]]:
    """The members of a union that ``kind`` names; all of them where it names none."""
    return [model for model in models if kind in _kinds(model)] or models


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get(KIND)
    return get_args(field.annotation) if field is not None else ()
