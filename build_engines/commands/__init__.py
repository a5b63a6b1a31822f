"""One module per command of ``python -m build_engines``."""
