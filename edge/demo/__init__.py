"""``anomalygpt-edge demo``: the whole station on real images. No station needs it."""

__all__ = ["show"]
