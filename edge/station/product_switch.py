"""Product changes asked for by the PLC: prepared beside the line, done between two parts."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge.errors import ProductError
from edge.station.judging import Judge
from edge.station.product import check_description, check_learned_by
from edge.station.products import Products

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.messaging import Command
    from edge.station.product import Product
    from edge.vision.memory import Memory


@dataclass(frozen=True, slots=True)
class _RequestedChange:
    """To a product, or (without a command) to the new version of the one that is inspected."""

    product: str
    memory: Memory
    description: str
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
    """

    def __init__(self, products: Products, bundle: Bundle) -> None:
        self._products = products
        self._bundle = bundle
        self._changes: queue.SimpleQueue[_RequestedChange] = queue.SimpleQueue()

    def ask(self, command: Command) -> Future[str]:
        """Read the product that ``cmd/product`` names, and have it used from the next part on.

        Raises:
            ProductError: it is not enrolled, its memory is damaged, another bundle learned it, or its
                description is too long for the language model.
        """
        product = self._products.get(command.product)
        check_learned_by(self._bundle.id, product)
        check_description(product.description, self._bundle)
        change = _RequestedChange(product.name, product.memory(), product.description, command, Future())
        self._changes.put(change)
        return change.done

    def renew(self, product: Product) -> None:
        """A product was learned anew: where it is the one that is inspected, use what it learned.

        Raises:
            ProductError: its memory is damaged, or another bundle learned it.
        """
        check_learned_by(self._bundle.id, product)
        self._changes.put(
            _RequestedChange(product.name, product.memory(), product.description, None, Future())
        )

    def apply(self, judge: Judge) -> ProductChange | None:
        """Do what was asked for; the inspector's thread, between two parts.

        Returns:
            What is inspected from now on; None where nothing changed.
        """
        used = None
        while not self._changes.empty():
            change = self._changes.get()
            if change.command is None:
                if change.product == judge.product:
                    judge.use(change.product, change.memory, change.description)
                continue
            if change.command.expired():
                change.done.set_exception(
                    ProductError("The command expired before the previous part was finished.")
                )
                continue
            try:
                judge.use(change.product, change.memory, change.description)
            except ProductError as error:
                change.done.set_exception(error)
                continue
            used = ProductChange(change.product, change.command.sender)
            change.done.set_result(f"{change.product} is inspected starting with the next part.")
        return used
