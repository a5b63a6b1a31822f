"""Putting a product's memory and a bundle's engine together, if they belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ProductError
from edge.station.judging import Judge
from edge.station.products import Product

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.engine import Engine


def open_judge(engine: Engine, bundle: Bundle, product: Product, *, station: str = "") -> Judge:
    """The judge of one product on a compiled engine of this bundle.

    Raises:
        ProductError: another bundle learned the product, or its memory cannot be read.
    """
    from edge.vision.inspector import Inspector

    check_learned_by(bundle, product)
    return Judge(Inspector(engine, product.memory()), station=station, product=product.name, bundle=bundle.id)


def check_learned_by(bundle: Bundle, product: Product) -> None:
    """Refuse a product that another bundle learned: features of two bundles cannot be compared.

    Raises:
        ProductError: with the command that learns it again from its own references.
    """
    if product.version.bundle != bundle.id:
        raise ProductError(
            f"{product.name} was learned by the bundle {product.version.bundle}; this is {bundle.id}.",
            "Learn it again from its kept references: "
            f"anomalygpt-edge enroll --product {product.name} --bundle {bundle.path}",
        )
