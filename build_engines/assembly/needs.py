"""What a build of a preset needs from elsewhere: the encoder's weights and the language model's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from build_engines.language.gguf import SMOLLM2, is_requantized
from build_engines.presets import Preset
from build_engines.sources import NeededFile, Source


def sources_of(preset: Preset) -> tuple[Source, ...]:
    """Where the files of a build come from. What was trained for the preset is part of this program."""
    return (preset.source,) if preset.language is None else (preset.source, SMOLLM2)


def missing_files(preset: Preset) -> tuple[NeededFile, ...]:
    """What would have to be downloaded, or brought on a stick, before the preset can be built."""
    missing = preset.source.missing()
    if preset.language is None or is_requantized(preset.language.quantization):
        return missing
    return (*missing, *SMOLLM2.missing())


def needed_files(preset: Preset) -> tuple[NeededFile, ...]:
    """Every file that a build needs, as it comes to this machine."""
    return tuple(file for source in sources_of(preset) for file in source.needed)


def gathered_files(preset: Preset) -> Mapping[NeededFile, Path]:
    """:func:`needed_files`, each with a place where it lies, downloaded where it is not here yet.

    Raises:
        SourceError: one cannot be fetched, or is not what it should be.
    """
    return {file: path for source in sources_of(preset) for file, path in source.gathered().items()}
