"""The station's YAML: its schema, its defaults, and errors that name file, line and key."""

from edge.config.load import load_station
from edge.config.problems import Problem, StationFileError
from edge.config.schema import (
    EngineSettings,
    LanguageSettings,
    QueueSettings,
    StationConfig,
    StationIdentity,
    VerdictSettings,
)

__all__ = [
    "EngineSettings",
    "LanguageSettings",
    "Problem",
    "QueueSettings",
    "StationConfig",
    "StationFileError",
    "StationIdentity",
    "VerdictSettings",
    "load_station",
]
