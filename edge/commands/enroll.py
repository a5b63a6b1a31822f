"""``enroll``: learn a product from images of good parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from edge.choices import MOST_LOOKS, RequestedLocate
from edge.terminal.options import (
    accept_failed_parity_option,
    bundle_option,
    data_dir_option,
    images_argument,
    precision_option,
    product_option,
    runtime_option,
)

if TYPE_CHECKING:
    from edge.image_types import Image
    from edge.station.product import Product
    from edge.vision.memory import Memory

LOOK_CLOSER = "--detail PX takes a closer look; --roi and --locate crop leave out what does not matter"
SHEET_NAME = "view.png"
"""In the product's folder: its references as the graph sees them."""


@click.command(name="enroll")
@product_option
@click.option(
    "--view",
    metavar="NAME",
    help="Learn another view of a product that is enrolled already: another camera's, or another region of "
    "the same image. A part is then ok if it is ok in every view.",
)
@images_argument
@click.option("--add", is_flag=True, help="Keep the product's references and add these.")
@click.option(
    "--description",
    metavar="TEXT",
    help='What a good part looks like, for the language model: "amber glass bottle seen from above, round". '
    "At most 200 characters; without it, the product keeps its description.",
)
@click.option(
    "--rotations",
    type=click.Choice(["auto", "none", "90", "fine"]),
    default="auto",
    show_default=True,
    help="Whether good parts come in different orientations; auto measures which set explains the "
    "references best.",
)
@click.option(
    "--roi",
    metavar="X,Y,W,H",
    help="Look only at this box, in pixels of the images; none: at the whole image again. Without it, the "
    "product keeps the one that it has.",
)
@click.option(
    "--locate",
    type=click.Choice(get_args(RequestedLocate)),
    help="crop: find the part in each image, on a plain background, and cut it out. align: turn it as well, "
    "so that its long axis always lies the same way. Without it, the product keeps what it has.  "
    "auto: whichever makes the references coincide. [default for a new product: none]",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="AREA",
    help="Never look at this box (X,Y,W,H) or polygon (X,Y X,Y X,Y …); repeat it. none: ignore nothing.",
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An image of the same size that is black where nothing counts, and white elsewhere.",
)
@click.option(
    "--detail",
    metavar="PX",
    help="Side of the smallest defect that must be seen, in pixels of the images, or in millimetres (0.5mm, "
    "with --mm-per-px). If one look is too coarse, the part is looked at in tiles, each of which takes as "
    "long as the whole would. none: one look again.",
)
@click.option(
    "--mm-per-px",
    type=click.FloatRange(0, min_open=True),
    help="Millimetres that a pixel of the images shows: the field's width by the image's.",
)
@click.option(
    "--looks",
    type=click.IntRange(0, MOST_LOOKS),
    help="At most so many looks at each part, as close as they allow, however small --detail is. 0: as many "
    "as --detail takes.",
)
@runtime_option
@precision_option
@accept_failed_parity_option
@bundle_option
@data_dir_option
def command(
    product: str,
    view: str | None,
    images: tuple[Path, ...],
    add: bool,
    description: str | None,
    rotations: str,
    roi: str | None,
    locate: RequestedLocate | None,
    ignore: tuple[str, ...],
    mask: Path | None,
    detail: str | None,
    mm_per_px: float | None,
    looks: int | None,
    runtime: str,
    precision: str,
    accept_failed_parity: bool,
    bundle: str | None,
    data_dir: Path | None,
) -> None:
    """Learn a product from one to a few images of good parts.

    An IMAGE is a file or a folder of files. Without any, the product is learned again from its existing
    references (after a change of bundle). Enrolling an existing product makes a new version of it; `products
    undo` goes back to the previous one.

    \b
    Examples:
      anomalygpt-edge enroll --product bottle good1.png good2.png
      anomalygpt-edge enroll --product bottle --add more_good_parts/
      anomalygpt-edge enroll --product label --roi 400,120,900,700 --ignore 1100,150,180,60 good/
      anomalygpt-edge enroll --product bottle --view neck side_camera/good*.png
    """
    from edge import paths
    from edge.cameras import read_image
    from edge.image_bytes import write_png
    from edge.station.product import check_description, check_name
    from edge.station.products import Products
    from edge.terminal.image_files import image_files, read_together
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.progress import progress_bar
    from edge.vision.enrollment import choose_view, enroll
    from edge.vision.view import MOST_SHOWN, AskedView, view_sheet

    if add and not images:
        raise click.UsageError("--add needs the images to add.")
    check_name(product)
    check_description(description or "")
    products, name = Products(paths.data_dir(data_dir)).of_view(product, view)
    if description is not None and name != product:
        raise click.UsageError("--description is of the whole product: give it without --view.")
    if add or not images:
        products.get(name)
    asked = AskedView(roi, ignore, mask, locate, detail, mm_per_px, looks)
    kept = products.view(name)
    read = read_together(image_files(images))
    started_s = time.monotonic()
    with (
        opened_engine(bundle, precision, runtime, accept_failed_parity=accept_failed_parity) as (
            opened,
            engine,
        ),
        progress_bar() as progress,
    ):
        check_description(products.description(name) if description is None else description, opened)

        input_size = engine.input_size
        why = ""

        def learn(references: Sequence[Image]) -> Memory:
            nonlocal why
            height, width = references[0].shape[:2]
            looked_at = asked.over(kept, (height, width))
            if asked.locate == "auto":
                chosen = choose_view(engine, references, looked_at, progress)
                looked_at, why = chosen.view, f" ({chosen.why})"
            return enroll(
                engine,
                references,
                bundle_id=opened.id,
                rotations=rotations,
                view=looked_at,
                progress=progress,
            )

        if add:
            learned = products.add(name, read, learn, description)
        elif read:
            learned = products.enroll(name, read, learn, description)
        else:
            learned = products.relearn(name, learn, description)
    memory = learned.memory()
    if not memory.view.is_whole:
        images_seen = [read_image(path) for path in learned.reference_files[:MOST_SHOWN]]
        write_png(learned.folder / SHEET_NAME, view_sheet(images_seen, memory.view, input_size))
    click.echo(_summary(learned, memory, time.monotonic() - started_s, input_size, why))


def _summary(product: Product, memory: Memory, took_s: float, input_size: tuple[int, int], why: str) -> str:
    """What was learned, and what a p-value from so few parts can promise."""
    count = memory.references
    parts = "good part" if count == 1 else "good parts"
    number, (height, width) = product.version.number, memory.shape
    turned = {"none": "as the references lie", "90": "turned by quarter turns", "fine": "turned by any angle"}
    least = 1 / (memory.references + 1)
    sheet = "" if memory.view.is_whole else f": {product.folder / SHEET_NAME}"
    lines = [
        f"{product.name}: version {number}, {count} {parts} of {width}x{height} px, {took_s:.1f} s",
        f"  description {product.description or '(none: --description tells the language model)'}",
        f"  references  {product.folder / 'references'}",
        f"  expected    {turned.get(memory.rotations, memory.rotations)}",
        f"  looked at   {memory.view}{why}{sheet}",
        f"  detail      {_detail(memory, input_size)}",
        f"  verdict     ng above {memory.boundary:.2f} on its own scale (0 good parts, 1 simulated defects)",
        f"  promise     {count} {parts} cannot prove a false-alarm rate under {least:.1%}; add more: --add",
    ]
    return "\n".join(lines)


def _detail(memory: Memory, input_size: tuple[int, int]) -> str:
    """How small a defect can be that is seen, and what to do about smaller ones."""
    smallest = memory.view.smallest_seen_px(memory.shape, input_size)
    rows, columns = memory.view.tiles
    looks = f"{rows * columns} looks at each part" if rows * columns > 1 else "one look at each part"
    told = f"{looks}; defects smaller than about {smallest:.0f} px can be missed"
    if memory.view.hides(memory.shape, input_size) is None:
        return told
    return f"{told}\n              {LOOK_CLOSER}"
