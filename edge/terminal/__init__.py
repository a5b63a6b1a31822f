"""What commands and tools share in front of a person: options, progress, live views, files and signals."""

__all__ = [
    "ending",
    "image_files",
    "live",
    "log_lines",
    "opened_engine",
    "options",
    "progress",
    "signals",
    "topics_view",
    "variadic",
    "waiting",
]
