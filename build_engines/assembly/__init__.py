"""From a preset to a bundle: the draft, its graph files, what it needs, packing, the bill of materials."""

__all__ = ["draft", "export", "needs", "pack", "sbom"]
