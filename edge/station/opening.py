"""Opening a station: every room in its order, and nothing left open when one of them refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from edge.cameras import create_camera
from edge.language import Limits
from edge.messaging import EventCode, Publisher
from edge.records import Records
from edge.station.commands import Orders, obey
from edge.station.deciding import Decider, opened_decider
from edge.station.health import Level
from edge.station.judging import Judge
from edge.station.line_enrollment import LineEnrollment, new_version
from edge.station.pause import Pause
from edge.station.pipeline import Rooms, Station
from edge.station.product import Product, check_learned_by
from edge.station.product_switch import ProductSwitch
from edge.station.products import Products
from edge.station.triggers import Triggers
from edge.station.writer import Hearer, Listener

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.config import StationConfig
    from edge.vision.engine import Engine


@contextmanager
def opened_station(
    config: StationConfig, listeners: Sequence[Listener] = (), hearers: Sequence[Hearer] = ()
) -> Iterator[Station]:
    """The station that a file describes, ready to run; closed at the end, its outbox sent or kept.

    Args:
        listeners: told of every inspection.
        hearers: told of every sentence.

    Raises:
        EdgeError: the bundle, the product, the records, the language model or the outbox cannot be
            used. A broker that is not there is no error.
    """
    from edge.bundle import Bundle
    from edge.vision.opening import described, open_engine

    products = Products(config.data_dir)
    product = products.get(config.product)
    bundle = Bundle.resolve(None if config.bundle is None else str(config.bundle))
    check_learned_by(bundle.id, product)
    cameras = [create_camera(settings) for settings in config.all_cameras]
    with ExitStack() as rooms:
        records = rooms.enter_context(Records(config.data_dir, config.records))
        publisher = Publisher(config.messaging, config.data_dir, station=config.station.name)
        orders = _orders(config, products, bundle, publisher)
        obey(publisher, orders, cameras)
        rooms.enter_context(publisher)
        rooms.callback(orders.enrollment.close)
        engine = open_engine(
            bundle,
            config.engine.runtime,
            config.engine.precision,
            config.engine.threads,
            accept_failed_parity=config.engine.accept_failed_parity,
        )
        rooms.callback(engine.close)
        decider = rooms.enter_context(_decider(config, bundle, product))
        judge = open_judge(engine, bundle, product, station=config.station.name, decider=decider)
        judge.warm_up()
        station = Station(
            Rooms(
                cameras=cameras,
                judge=judge,
                records=records,
                publisher=publisher,
                orders=orders,
            ),
            bundle=bundle.id,
            engine=described(engine),
            queue_size=config.queue.size,
            policy=config.queue.policy,
            words=config.language.words,
            listeners=listeners,
            hearers=hearers,
        )
        if doubt := bundle.doubt(engine.precision):
            station.health.set("parity", Level.DEGRADED, doubt)
        yield station


def _decider(
    config: StationConfig, bundle: Bundle, product: Product
) -> AbstractContextManager[Decider | None]:
    verdict, language = config.verdict, config.language
    return opened_decider(
        bundle,
        verdict.decided_by,
        description=product.description,
        limits=Limits(threads=language.threads, wait_policy=language.wait_policy),
        calibration_stands_in=verdict.on_language_error == "calibration",
        timeout_s=verdict.timeout_s,
    )


def _orders(config: StationConfig, products: Products, bundle: Bundle, publisher: Publisher) -> Orders:
    switch = ProductSwitch(products, bundle)

    def enrolled(product: Product) -> None:
        switch.renew(product)
        publisher.event(EventCode.ENROLLED, new_version(product), product=product.name)

    part_ids = config.part_ids
    named = config.all_cameras if part_ids.source == "plc" else ()
    return Orders(
        switch=switch,
        pause=Pause(),
        enrollment=LineEnrollment(products, bundle.path, config.engine, enrolled),
        triggers={camera.name: Triggers(camera.name, part_ids.window_s) for camera in named},
    )


def open_judge(
    engine: Engine, bundle: Bundle, product: Product, *, station: str = "", decider: Decider | None = None
) -> Judge:
    """The judge of one product on a compiled engine of this bundle.

    Args:
        decider: with the product's description; None: the calibrated score decides.

    Raises:
        ProductError: another bundle learned the product, or its memory cannot be read.
    """
    from edge.vision.inspector import Inspector

    check_learned_by(bundle.id, product)
    return Judge(
        Inspector(engine, product.memory()),
        station=station,
        product=product.name,
        bundle=bundle.id,
        decider=decider,
    )
