"""``python -m models.train PRESET [DATA…]``: as ``python -m models train``."""

from models.__main__ import run_command

if __name__ == "__main__":
    run_command("train")
