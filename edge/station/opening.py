"""Opening a station: every room in its order, and nothing left open when one of them refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from edge.cameras import create_camera
from edge.errors import ProductError
from edge.messaging import Publisher
from edge.records import Records
from edge.station.judging import Judge
from edge.station.pipeline import Rooms, Station
from edge.station.products import Product, Products
from edge.station.writer import Listener

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.config import StationConfig
    from edge.vision.engine import Engine


@contextmanager
def opened_station(config: StationConfig, listeners: Sequence[Listener] = ()) -> Iterator[Station]:
    """The station that a file describes, ready to run; closed at the end, its outbox sent or kept.

    Raises:
        EdgeError: the bundle, the product, the records or the outbox cannot be used. A broker that
            is not there is no error.
    """
    from edge.bundle import Bundle
    from edge.vision.openvino import OpenVinoEngine

    product = Products(config.data_dir).get(config.product)
    bundle = Bundle.resolve(None if config.bundle is None else str(config.bundle))
    check_learned_by(bundle, product)
    with ExitStack() as rooms:
        records = rooms.enter_context(Records(config.data_dir, config.records))
        publisher = rooms.enter_context(
            Publisher(config.messaging, config.data_dir, station=config.station.name)
        )
        engine = OpenVinoEngine(bundle, config.engine.precision, config.engine.threads)
        rooms.callback(engine.close)
        yield Station(
            Rooms(
                camera=create_camera(config.camera),
                judge=open_judge(engine, bundle, product, station=config.station.name),
                records=records,
                publisher=publisher,
            ),
            product=product.name,
            bundle=bundle.id,
            queue_size=config.queue.size,
            policy=config.queue.policy,
            listeners=listeners,
        )


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
