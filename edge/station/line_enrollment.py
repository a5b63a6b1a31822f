"""Enrollment from the line: the next N parts are good ones to learn from.

Those parts get no verdict: each is an error, so that none passes unseen. Their images go to the
disk as they come; when the last one is there, a process of its own and of low priority learns from
them (``anomalygpt-edge enroll``), and the inspection goes on beside it.

A message must not turn defects into good parts. So references are added to the product on the line
alone, whose version in use judges each of them first: at the first part that it does not call ok
nothing is learned, and the images are held for a person.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EdgeError, ProductError
from edge.image_bytes import write_png
from edge.image_types import Image
from edge.inspection import Inspection, Verdict, utc_timestamp
from edge.messaging import CommandRefusedError
from edge.station.judging import Judged
from edge.station.product import Product, check_name
from edge.station.products import Products

if TYPE_CHECKING:
    from edge.config import EngineSettings
    from edge.messaging import Command

#: References beyond this teach nothing that the bank could still hold.
MAX_PARTS = 100


class _Batch:
    """The parts of one enrollment."""

    def __init__(self, command: Command, known: bool) -> None:
        self.command = command
        self.product = command.product
        self.count = command.count
        self.known = known
        self.taken = 0
        self.stopped = False
        self.done: Future[str] = Future()

    @property
    def collects(self) -> bool:
        return self.taken < self.count and not self.stopped

    def doubt(self, inspection: Inspection) -> str:
        """Why this part must not be learned from without a person; empty where nothing speaks against it."""
        if not self.known:
            return ""  # there is no version yet that could say anything
        if inspection.product != self.product:
            return f"{self.product} is not the product on the line; send cmd/product first."
        if inspection.verdict is Verdict.NG:
            return f"Part {inspection.part_id} is ng according to the version in use."
        if inspection.review:
            return f"Part {inspection.part_id} is up for review according to the version in use."
        return ""


class LineEnrollment:
    """One enrollment at a time: it collects images, then it learns. Closed by its owner.

    Args:
        products: where the product is made, or gets the images beside its references.
        bundle: the bundle's folder.
        engine: as the station computes, so that what is learned is what is inspected by.
        enrolled: told of a product's new version and of the command behind it, in the enrollment's own
            thread.
        held: told why nothing was learned, and where the images lie; in the same thread.
    """

    def __init__(
        self,
        products: Products,
        bundle: Path,
        engine: EngineSettings,
        enrolled: Callable[[Product, Command], None],
        held: Callable[[str, Command], None],
    ) -> None:
        self._products = products
        self._bundle = bundle
        self._engine = engine
        self._enrolled = enrolled
        self._held = held
        self._folder = products.folder.parent / "enrolling"
        self._lock = threading.Lock()  # never held while anything is waited for
        self._batch: _Batch | None = None
        self._learning: subprocess.Popen[str] | None = None
        self._closed = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="line-enrollment")

    def ask(self, command: Command) -> Future[str]:
        """``cmd/enroll``: take the next ``count`` images for ``product``; the future ends when it is learned.

        Raises:
            CommandRefusedError: another enrollment is under way, or the count is out of range.
            ProductError: a name that cannot be one.
        """
        batch = _Batch(command, check_name(command.product) in self._products.names())
        if not 1 <= batch.count <= MAX_PARTS:
            raise CommandRefusedError(f"'count' is {batch.count}.", f"Give 1 to {MAX_PARTS}.")
        with self._lock:
            if self._batch is not None:
                raise CommandRefusedError(
                    f"{self._batch.product} is being enrolled already.", "Wait for its reply."
                )
            self._batch = batch
        return batch.done

    def take(self, judged: Judged) -> Judged:
        """Give a part to the enrollment that collects; for the inspector's thread.

        Returns:
            The part as it was, or as an error where the enrollment uses its image.
        """
        inspection, image = judged.inspection, judged.image
        with self._lock:
            batch = self._batch
            if batch is None or not batch.collects or self._closed or image is None:
                return judged
            if inspection.views:
                batch.stopped = True
                self._worker.submit(self._end, batch, _several_views(inspection.product))
                return judged
            if doubt := batch.doubt(inspection):
                batch.stopped = True
                self._worker.submit(self._hold, batch, image, doubt)
                return judged
            if batch.known and inspection.verdict is Verdict.ERROR:
                return judged  # nothing vouches for it; the next part will do
            batch.taken += 1
            self._worker.submit(self._keep, batch, batch.taken, image)
        return judged.without_verdict(
            f"No verdict: taken as a reference for {batch.product}, {batch.taken} of {batch.count}."
        )

    def cancel(self, reason: str) -> None:
        """Take back an enrollment that still collects; one that learns goes on."""
        with self._lock:
            batch = self._batch if self._batch is not None and self._batch.collects else None
        if batch is not None:
            self._end(batch, CommandRefusedError(reason))

    def close(self) -> None:
        """End what is under way, whether it collects or learns."""
        with self._lock:
            self._closed = True
            if self._learning is not None:
                self._learning.terminate()
        self.cancel("The station has stopped.")
        self._worker.shutdown()

    def _end(self, batch: _Batch, outcome: EdgeError | str) -> None:
        with self._lock:
            if self._batch is not batch:
                return
            self._batch = None
        if isinstance(outcome, EdgeError):
            batch.done.set_exception(outcome)
        else:
            batch.done.set_result(outcome)

    # -- the enrollment's own thread -------------------------------------------------------------

    def _keep(self, batch: _Batch, number: int, image: Image) -> None:
        if self._batch is not batch:
            return
        try:
            if number == 1:
                shutil.rmtree(self._folder, ignore_errors=True)  # of an enrollment that was not finished
                self._folder.mkdir(parents=True)
            write_png(self._folder / f"part-{number:03d}.png", image)
            if number == batch.count:
                self._end(batch, self._learn(batch))
                shutil.rmtree(self._folder)
        except OSError as error:
            self._end(batch, ProductError(f"The images cannot be saved: {error}.", "Free some space."))
        except EdgeError as error:
            self._end(batch, error)

    def _hold(self, batch: _Batch, image: Image, doubt: str) -> None:
        """Learn nothing: a person decides what the images show."""
        folder = self._folder.parent / "held" / f"{batch.product}-{utc_timestamp().replace(':', '')}"
        try:
            if batch.taken == 0:
                shutil.rmtree(self._folder, ignore_errors=True)  # of an enrollment that was not finished
            self._folder.mkdir(parents=True, exist_ok=True)
            write_png(self._folder / f"part-{batch.taken + 1:03d}.png", image)
            folder.parent.mkdir(exist_ok=True)
            self._folder.rename(folder)
        except (OSError, EdgeError) as error:
            self._end(
                batch, CommandRefusedError(f"{doubt} Nothing was learned, and no image was kept: {error}")
            )
            return
        text = f"{doubt} Nothing was learned; the images are in {folder} for someone to check."
        self._held(text, batch.command)
        remedy = f"If they are good parts: anomalygpt-edge enroll --product {batch.product} --add FOLDER"
        self._end(batch, CommandRefusedError(text, remedy))

    def _learn(self, batch: _Batch) -> str:
        command = [
            *("nice", "-n", "5", sys.executable, "-m", "edge", "enroll", "--product", batch.product),
            *(("--add",) if batch.known else ()),
            *(str(self._folder), "--data-dir", str(self._products.folder.parent)),
            *("--bundle", str(self._bundle)),
            *("--runtime", self._engine.runtime, "--precision", self._engine.precision),
            *(("--accept-failed-parity",) if self._engine.accept_failed_parity else ()),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with self._lock:
            self._learning = process
            if self._closed:
                process.terminate()
        _, said = process.communicate()
        if process.returncode != 0:
            last = (said.strip().splitlines() or ["The enrollment was cancelled."])[-1]
            raise ProductError(last.removeprefix("error: "))
        product = self._products.get(batch.product)
        self._enrolled(product, batch.command)
        return new_version(product)


def _several_views(product: str) -> CommandRefusedError:
    return CommandRefusedError(
        f"{product}, the product on the line, has several views, and each learns from images of its own.",
        f"Enroll each: anomalygpt-edge enroll --product {product} --view NAME --add FOLDER",
    )


def new_version(product: Product) -> str:
    """A product's version in use, in one sentence."""
    references = len(product.version.references)
    return f"{product.name}: version {product.version.number}, {references} references."
