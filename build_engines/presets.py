"""Presets: which encoder, from where, at what size, with which taps, in which precisions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from build_engines.graph.vit import VitWeights
from build_engines.sources import Source
from edge.choices import Precision
from edge.errors import ConfigError
from edge.tools import folder

Quantization = Literal["Q4_0", "Q8_0", "F16"]
"""Of the language model's weights, in llama.cpp's words."""


class LanguagePreset(BaseModel):
    """The language half of a preset.

    Attributes:
        weights: file in ``models/weights`` with what was trained for the preset's taps.
        quantization: of the language model that it was trained on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str
    quantization: Quantization


class Architecture(BaseModel):
    """The encoder's shape: enough to write its graph without its weights.

    Attributes:
        layers: of the whole encoder, tapped or not.
        width: of a token.
        heads: attention heads.
        patch: side of a patch in pixels.
        grid: side of the table of positions, in patches.
        mlp_width: inside a layer's MLP; where it is not told, four times the width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    patch: int = Field(ge=1)
    grid: int = Field(ge=1)
    mlp_width: int = Field(default=0, validate_default=True)

    @field_validator("mlp_width")
    @classmethod
    def _four_times_the_width(cls, mlp_width: int, info: ValidationInfo) -> int:
        return mlp_width or 4 * int(info.data.get("width", 0))

    @classmethod
    def of(cls, vit: VitWeights) -> Architecture:
        """The shape that an encoder's weights have."""
        return cls(
            layers=len(vit.layers),
            width=vit.width,
            heads=vit.heads,
            patch=vit.patch,
            grid=vit.patch_positions.shape[0],
            mlp_width=vit.layers[0].mlp_in[1].size,
        )


class Preset(BaseModel):
    """One file of ``configs/bundles``.

    Attributes:
        name: of the preset and of the bundle that it makes.
        family: the module of ``build_engines.encoders`` that reads the source.
        source: of the weights.
        architecture: of the encoder; None where it is not told.
        input_size: (H, W) in pixels.
        taps: layers whose patch tokens are the features, 0 for the first.
        allowed_taps: layers that the source leaves fit for that.
        precisions: to build.
        own_text: whether the encoder's own text tower makes the text map where none was trained.
        language: the language half; None for a preset that only sees.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: str
    source: Source
    architecture: Architecture | None = None
    input_size: tuple[int, int]
    taps: tuple[int, ...] = Field(min_length=1)
    allowed_taps: tuple[int, ...]
    precisions: tuple[Precision, ...] = Field(min_length=1)
    own_text: bool = False
    language: LanguagePreset | None = None

    def adapted(self, size: tuple[int, int] | None = None, taps: tuple[int, ...] | None = None) -> Preset:
        """The preset with another input size or other taps, and a name that says so.

        Raises:
            ConfigError: a tap that this preset does not allow, or one named twice.
        """
        name, size, taps = self.name, size or self.input_size, taps or self.taps
        wrong = [tap for tap in taps if tap not in self.allowed_taps]
        if wrong or len(set(taps)) != len(taps):
            allowed = ", ".join(str(tap) for tap in self.allowed_taps)
            raise ConfigError(
                f"Preset {self.name} cannot tap layers {', '.join(str(tap) for tap in taps)}.",
                f"Choose different layers from {allowed}.",
            )
        if size != self.input_size:
            name += f"-{size[0]}" if size[0] == size[1] else f"-{size[0]}x{size[1]}"
        if taps != self.taps:
            name += "-taps" + ".".join(str(tap) for tap in taps)
        # What was trained reads these taps and no others.
        language = self.language if taps == self.taps else None
        return self.model_copy(update={"name": name, "input_size": size, "taps": taps, "language": language})


def preset_names() -> list[str]:
    """The presets that there are."""
    return sorted(entry.stem for entry in _folder().glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset of that name, or in that YAML file.

    Raises:
        ConfigError: there is none, or it cannot be understood.
    """
    file = Path(name) if name.endswith((".yaml", ".yml")) else _folder() / f"{name}.yaml"
    if not file.is_file():
        raise ConfigError(f"There is no preset {name!r}.", f"Choose one of: {', '.join(preset_names())}.")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("input_size"), int):
            content["input_size"] = [content["input_size"]] * 2
        preset = Preset.model_validate(content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise ConfigError(f"{file}: {where}: {why}.", "Correct it there.") from error
    return preset.adapted()


def _folder() -> Path:
    return folder() / "configs" / "bundles"
