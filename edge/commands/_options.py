"""Options that several commands share, with the same words in every ``--help``."""

from __future__ import annotations

from pathlib import Path

import click

bundle_option = click.option(
    "--bundle",
    metavar="NAME|FOLDER",
    help="The model bundle: its name in the cache or its folder.  [default: dinov2-s]",
)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where products, records and the outbox live.  "
    "[default: $ANOMALYGPT_EDGE_DATA, else the user's data folder]",
)

product_option = click.option("--product", required=True, metavar="NAME", help="The product's name.")

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "bf16", "fp32"]),
    default="auto",
    show_default=True,
    help="What the encoder computes in; auto: the fastest that passed its checks on this CPU.",
)

decided_by_option = click.option(
    "--decided-by",
    type=click.Choice(["language", "calibration", "either"]),
    default="language",
    show_default=True,
    help="Who says ok or ng: the language model, the calibrated score, or ng where one of them says so.",
)

images_argument = click.argument(
    "images", nargs=-1, metavar="IMAGE…", type=click.Path(path_type=Path, exists=False)
)
