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

datasets_argument = click.argument(
    "datasets", nargs=-1, required=True, metavar="DATASET...", type=click.Path(path_type=Path)
)

seeds_option = click.option(
    "--seeds",
    multiple=True,
    default=(0,),
    metavar="S...",
    type=int,
    help="Each draws its own references; figures are means over the seeds.  [default: 0]",
)

json_option = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)

measured_decided_by_option = click.option(
    "--decided-by",
    type=click.Choice(["language", "calibration"]),
    help="Who decides; calibration asks no language model.  [default: language, where the bundle has it]",
)

product_option = click.option("--product", required=True, metavar="NAME", help="The product's name.")

runtime_option = click.option(
    "--runtime",
    type=click.Choice(["auto", "openvino", "tensorrt"]),
    default="auto",
    show_default=True,
    help="What computes the vision graph; auto: TensorRT where a GPU answers and the bundle was "
    "compiled for it.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "int8-symmetric", "fp16", "bf16", "fp32"]),
    default="auto",
    show_default=True,
    help="What the encoder computes in; auto: the fastest that passed its checks and that this machine has.",
)

accept_failed_parity_option = click.option(
    "--accept-failed-parity",
    is_flag=True,
    help="Also take a --precision that failed its parity check, or that nobody has measured.",
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
