"""Product changes asked for by the PLC: prepared beside the line, done between two parts."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge.errors import ProductError
from edge.station.part_judging import PartJudge
from edge.station.seeing import SeenProduct

if TYPE_CHECKING:
    from edge.messaging import Command


@dataclass(frozen=True, slots=True)
class _RequestedChange:
    """To a product, or (without a command) to the new version of the one that is inspected."""

    product: SeenProduct
    command: Command | None
    done: Future[str]


class ProductChange(NamedTuple):
    """The product that is inspected from now on, and who asked for it."""

    product: str
    sender: str


class ProductSwitch:
    """Lets a judge change its product.

    A change lasts until the next one or until the station ends; a station starts with the product
    that its file names.

    Args:
        read: the product of a name, as the station's cameras see it; raises ProductError where they cannot.
    """

    def __init__(self, read: Callable[[str], SeenProduct]) -> None:
        self._read = read
        self._changes: queue.SimpleQueue[_RequestedChange] = queue.SimpleQueue()

    def ask(self, command: Command) -> Future[str]:
        """Read the product that ``cmd/product`` names, and have it used from the next part on.

        Raises:
            ProductError: it cannot be inspected.
        """
        change = _RequestedChange(self._read(command.product), command, Future())
        self._changes.put(change)
        return change.done

    def renew(self, product: str) -> None:
        """A product was learned anew: where it is the one that is inspected, use what it learned.

        Raises:
            ProductError: it cannot be inspected.
        """
        self._changes.put(_RequestedChange(self._read(product), None, Future()))

    @property
    def waits(self) -> bool:
        """Whether there is a change to be applied."""
        return not self._changes.empty()

    def apply(self, judge: PartJudge) -> ProductChange | None:
        """Do what was asked for; the inspector's thread, between two parts.

        Returns:
            What is inspected from now on; None where nothing changed.
        """
        used = None
        while not self._changes.empty():
            change = self._changes.get()
            if change.command is None:
                if change.product.name == judge.product:
                    judge.use(change.product)
                continue
            if change.command.expired():
                change.done.set_exception(
                    ProductError("The command expired before the previous part was finished.")
                )
                continue
            try:
                judge.use(change.product)
            except ProductError as error:
                change.done.set_exception(error)
                continue
            used = ProductChange(change.product.name, change.command.sender)
            change.done.set_result(f"{change.product.name} is inspected starting with the next part.")
        return used
