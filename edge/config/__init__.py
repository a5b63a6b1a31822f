"""The station's YAML: its schema, its defaults, and errors that name file, line and key."""

from edge.config.load import load_station
from edge.config.problems import Problem, StationFileError
from edge.config.reference import SettingKey, json_schema, keys_below, station_keys
from edge.config.schema import EngineSettings, QueueSettings, StationConfig, VerdictSettings

__all__ = [
    "EngineSettings",
    "Problem",
    "QueueSettings",
    "SettingKey",
    "StationConfig",
    "StationFileError",
    "VerdictSettings",
    "json_schema",
    "keys_below",
    "load_station",
    "station_keys",
]
