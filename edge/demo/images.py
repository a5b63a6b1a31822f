"""What the demo looks at: references, the parts to replay, and what is known of them."""

from __future__ import annotations

import random
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.errors import DatasetError
from edge.fetch import ELPV_DATASET, BytesReceived, download_bar, fetch_elpv
from edge.terminal.image_files import images_in

_SEED = 0
_CELL_REFERENCES = 8
_FOLDER_REFERENCES = 4
_CELL_TYPE = "mono"
_SURE = {0.0: False, 1.0: True}


@dataclass(frozen=True, slots=True)
class DemoImages:
    """The demo's images.

    Attributes:
        product: what the product is called.
        description: the part in words.
        references: images of good parts.
        parts: part id to image, those to inspect.
        defective: part id to what is known of it; empty where nothing is.
        told: how they were chosen, for the person at the terminal.
    """

    product: str
    description: str
    references: list[Path]
    parts: dict[str, Path]
    defective: dict[str, bool]
    told: list[str]


def solar_cells(parts: int) -> DemoImages:
    """Monocrystalline solar cells whose label is certain, a random sample that is always the same.

    Raises:
        SourceError: the dataset is not in the cache and cannot be fetched.
    """
    folder = _fetched_cells()
    cells: dict[Path, bool] = {}
    for line in read_regular(folder / "labels.csv", SMALL_FILE_BYTES).decode().splitlines():
        name, probability, cell_type = line.split()
        if cell_type == _CELL_TYPE and float(probability) in _SURE:
            cells[folder / name] = _SURE[float(probability)]
    shuffled = random.Random(_SEED).sample(sorted(cells), len(cells))
    references = [cell for cell in shuffled if not cells[cell]][:_CELL_REFERENCES]
    shown = [cell for cell in shuffled if cell not in references][:parts]
    return DemoImages(
        product="solar-cell",
        description="a solar cell with thin dark lines",
        references=references,
        parts={cell.stem: cell for cell in shown},
        defective={cell.stem: cells[cell] for cell in shown},
        told=[
            "images      elpv-dataset (Deitsch et al.): electroluminescence images of solar cells",
            "            licence CC BY-NC-SA 4.0: not for commercial use",
            f"            drawn from {len(cells)} monocrystalline cells whose label is certain, fixed seed",
        ],
    )


def _fetched_cells() -> Path:
    """The dataset's folder; a progress bar is shown where it has to be downloaded."""
    with ExitStack() as stack:
        bar: list[BytesReceived] = []

        def show(done: int) -> None:
            if not bar:
                bar.append(stack.enter_context(download_bar(ELPV_DATASET.requirement, ELPV_DATASET.size)))
            bar[0](done)

        return fetch_elpv(show)


def folder_images(folder: Path, parts: int) -> DemoImages:
    """A folder of the user's: in MVTec's layout, or images of which the first few are good parts.

    Raises:
        DatasetError: it has too few images.
        FrameError: it has none.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder.", "Give a folder of images with --images.")
    name = "".join(c if c.isalnum() else "-" for c in folder.resolve().name).strip("-") or "part"
    if (folder / "train" / "good").is_dir() and (folder / "test").is_dir():
        references = images_in(folder / "train" / "good")[:_FOLDER_REFERENCES]
        kinds = [kind for kind in sorted((folder / "test").iterdir()) if kind.is_dir()]
        tested = [file for kind in kinds for file in images_in(kind)]
        drawn = random.Random(_SEED).sample(tested, min(parts, len(tested)))
        shown = {f"{file.parent.name}-{file.stem}": file for file in drawn}
        defective = {name: file.parent.name != "good" for name, file in shown.items()}
        told = f"{folder}: references are the first {len(references)} of train/good, parts come from test"
    else:
        files = images_in(folder)
        references = files[:_FOLDER_REFERENCES]
        shown = {file.stem: file for file in files[_FOLDER_REFERENCES:][:parts]}
        defective = {}
        told = f"{folder}: the first {len(references)} by name are taken as good parts, the others inspected"
    if not shown:
        raise DatasetError(
            f"{folder} has {len(references)} images, so none is left to inspect.",
            f"Put at least {_FOLDER_REFERENCES + 1} there.",
        )
    return DemoImages(name, "", references, shown, defective, [f"images      {told}"])


def lay_out(source: DemoImages, folder: Path) -> None:
    """Copy the parts into ``folder``, which they fill alone.

    Raises:
        DatasetError: the disk does not take them.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name, file in source.parts.items():
            shutil.copyfile(file, folder / f"{name}{file.suffix}")
    except OSError as error:
        raise DatasetError(
            f"The parts cannot be copied to {folder}: {error.strerror or error}.",
            "Free some space there, or choose another folder with --data-dir.",
        ) from error
