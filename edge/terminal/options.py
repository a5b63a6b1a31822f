"""Options that several commands share, with the same words in every ``--help``."""

from __future__ import annotations

from pathlib import Path

import click

bundle_option = click.option(
    "--bundle",
    metavar="NAME|FOLDER",
    help="The model bundle, by its name in the cache or by its folder.  [default: dinov2-s]",
)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder for products, records and the outbox.  "
    "[default: $ANOMALYGPT_EDGE_DATA, else the user's data folder]",
)

datasets_argument = click.argument(
    "datasets", nargs=-1, required=True, metavar="DATASET...", type=click.Path(path_type=Path)
)

seeds_option = click.option(
    "--seeds",
    multiple=True,
    default=(0,),
    metavar="S...",
    type=int,
    help="Each seed draws its own references; figures are means over the seeds.  [default: 0]",
)

json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file.",
)

measured_decided_by_option = click.option(
    "--decided-by",
    type=click.Choice(["language", "calibration"]),
    help="Who decides; with calibration no language model is used.  [default: language, if the bundle has "
    "it]",
)

product_option = click.option("--product", required=True, metavar="NAME", help="The product's name.")

view_option = click.option(
    "--view", metavar="NAME", help="Which of the product's views.  [default: main, the only one of most]"
)

runtime_option = click.option(
    "--runtime",
    type=click.Choice(["auto", "openvino", "tensorrt"]),
    default="auto",
    show_default=True,
    help="The engine for the vision graph; auto: TensorRT if a GPU responds and the bundle was compiled for "
    "it.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "int8-symmetric", "fp16", "bf16", "fp32"]),
    default="auto",
    show_default=True,
    help="Precision of the encoder; auto: the fastest on this machine that passed its checks.",
)

accept_failed_parity_option = click.option(
    "--accept-failed-parity",
    is_flag=True,
    help="Also accept a --precision that failed its parity check, or was never measured.",
)

decided_by_option = click.option(
    "--decided-by",
    type=click.Choice(["language", "calibration", "either"]),
    default="language",
    show_default=True,
    help="Who decides between ok and ng: the language model, the calibrated score, or either (ng if one of "
    "them says ng).",
)

images_argument = click.argument(
    "images", nargs=-1, metavar="IMAGE…", type=click.Path(path_type=Path, exists=False)
)
