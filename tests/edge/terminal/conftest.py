"""The command line on an enrolled product, as in the tests of commands."""

from tests.edge.commands.conftest import command, on_plate, on_speaking_plate
from tests.edge.station.conftest import enrolled, make_speaking_station, make_station, speaking_enrolled

__all__ = [
    "command",
    "enrolled",
    "make_speaking_station",
    "make_station",
    "on_plate",
    "on_speaking_plate",
    "speaking_enrolled",
]
