"""The history of inspections: SQLite, images and their overlays, retention.

The station writes through :class:`Records`; everybody else reads through :class:`History`.
"""

from edge.records.contact_sheet import SheetItem, contact_sheet
from edge.records.database import DiskFullError
from edge.records.history import Counters, History, Record
from edge.records.images import write_image
from edge.records.overlay import draw_overlay
from edge.records.records import Entry, RecordingFailures, Records
from edge.records.settings import RecordsSettings
from edge.records.sources import Sources

__all__ = [
    "Counters",
    "DiskFullError",
    "Entry",
    "History",
    "Record",
    "RecordingFailures",
    "Records",
    "RecordsSettings",
    "SheetItem",
    "Sources",
    "contact_sheet",
    "draw_overlay",
    "write_image",
]
