"""What a station needs of a small board's memory."""

__all__ = ["budget"]
