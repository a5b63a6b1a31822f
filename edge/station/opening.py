"""Opening a station: every room in its order, and nothing left open when one of them refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from edge.cameras import Camera, FolderSettings, create_camera
from edge.cameras.folder import FolderCamera
from edge.clock import StationClock
from edge.language import ModelLimits
from edge.messaging import AlarmCode, EventCode, Publisher
from edge.records import Records
from edge.station.commands import CommandState, obey
from edge.station.deciding import Decider, opened_decider
from edge.station.health import Level
from edge.station.judging import Judge
from edge.station.line_enrollment import LineEnrollment, new_version
from edge.station.part_judging import PartJudge
from edge.station.part_memory import KeptPartMemory
from edge.station.pause import Pause
from edge.station.pipeline import Station, StationComponents
from edge.station.product import Product, check_learned_by
from edge.station.product_switch import ProductSwitch
from edge.station.products import Products
from edge.station.seeing import SeenProduct, seen
from edge.station.triggers import Triggers
from edge.station.writer import InspectionListener, JudgedListener

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.config import StationConfig
    from edge.messaging import Command
    from edge.vision.engine import Engine

#: For a language model that loads slowly; the line is then judged without it until it is there.
_LOADING_PATIENCE_S = 20.0

# The first part may take so many times as long as the warm-up, which did the same.
_FIRST_PART_TIMES = 2


@contextmanager
def opened_station(
    config: StationConfig,
    listeners: Sequence[JudgedListener] = (),
    hearers: Sequence[InspectionListener] = (),
) -> Iterator[Station]:
    """The station that a file describes, ready to run; closed at the end, its outbox sent or kept.

    Args:
        listeners: told of every inspection.
        hearers: told of every sentence.

    Raises:
        EdgeError: the bundle, the product, the records or the outbox cannot be used. A broker that is not
            there is no error, nor is a language model that cannot be loaded: the station is degraded then.
    """
    from edge.bundle import Bundle
    from edge.vision.opening import described, open_engine

    products = Products(config.data_dir)
    bundle = Bundle.resolve(None if config.bundle is None else str(config.bundle), language_later=True)
    plc_names_parts = config.part_ids.source == "plc"

    def seen_by_cameras(name: str) -> SeenProduct:
        return seen(products, name, bundle, config.all_cameras, plc_names_parts=plc_names_parts)

    product = seen_by_cameras(config.product)
    cameras = [create_camera(settings) for settings in config.all_cameras]
    with ExitStack() as rooms:
        clock = StationClock(config.data_dir)
        records = rooms.enter_context(Records(config.data_dir, config.records, clock))
        for memory in _remembering(config, cameras, records):
            rooms.callback(memory.close)
        publisher = Publisher(config.messaging, config.data_dir, station=config.station.name, clock=clock)
        command_state = _command_state(config, products, bundle, publisher, ProductSwitch(seen_by_cameras))
        obey(publisher, command_state, cameras)
        rooms.enter_context(publisher)
        rooms.callback(command_state.enrollment.close)
        engine = open_engine(
            bundle,
            config.engine.runtime,
            config.engine.precision,
            config.engine.threads,
            accept_failed_parity=config.engine.accept_failed_parity,
        )
        rooms.callback(engine.close)
        decider = rooms.enter_context(_decider(config, bundle, product))
        judge = PartJudge(engine, product, station=config.station.name, bundle=bundle.id, decider=decider)
        began_s = time.monotonic()
        judge.warm_up()
        warm_up_s = _FIRST_PART_TIMES * (time.monotonic() - began_s) / judge.looks
        station = Station(
            StationComponents(
                cameras=cameras,
                judge=judge,
                records=records,
                publisher=publisher,
                command_state=command_state,
            ),
            bundle=bundle.id,
            engine=described(engine),
            queue_size=config.queue.size,
            policy=config.queue.policy,
            words=config.language.words,
            hang_s=config.verdict.hang_s,
            warm_up_s=warm_up_s,
            views_s=config.part_ids.views_s,
            listeners=listeners,
            hearers=hearers,
        )
        if doubt := bundle.doubt(engine.precision):
            station.health.set("parity", Level.DEGRADED, doubt)
        if decider is not None:
            # Now, not with the first beat: who starts a station reads the log then.
            station.health.set("language", decider.condition.level, decider.condition.detail)
        yield station


def _remembering(
    config: StationConfig, cameras: Sequence[Camera], records: Records
) -> Iterator[KeptPartMemory]:
    """Have the watched folders' cameras remember what was inspected."""
    for settings, camera in zip(config.all_cameras, cameras, strict=True):
        if isinstance(settings, FolderSettings) and settings.watch and isinstance(camera, FolderCamera):
            memory = KeptPartMemory(records, settings.name, again=settings.again)
            camera.remember(memory)
            yield memory


def _decider(
    config: StationConfig, bundle: Bundle, product: SeenProduct
) -> AbstractContextManager[Decider | None]:
    verdict, language = config.verdict, config.language
    return opened_decider(
        bundle,
        verdict.decided_by,
        description=product.description,
        limits=ModelLimits(threads=language.threads, wait_policy=language.wait_policy),
        calibration_stands_in=verdict.on_language_error == "calibration",
        timeout_s=verdict.timeout_s,
        patience_s=_LOADING_PATIENCE_S,
    )


def _command_state(
    config: StationConfig, products: Products, bundle: Bundle, publisher: Publisher, switch: ProductSwitch
) -> CommandState:
    def enrolled(product: Product, command: Command) -> None:
        text = f"{new_version(product)} Asked for by {command.sender}."
        publisher.event(EventCode.ENROLLED, text, product=product.name)
        publisher.raise_alarm(AlarmCode.PRODUCT, text)
        switch.renew(product.name)

    def held(text: str, command: Command) -> None:
        said = f"{text} Asked for by {command.sender}."
        publisher.event(EventCode.ENROLLMENT_HELD, said, product=command.product)

    part_ids = config.part_ids
    named = config.all_cameras if part_ids.source == "plc" else ()
    return CommandState(
        switch=switch,
        pause=Pause(),
        enrollment=LineEnrollment(products, bundle.path, config.engine, enrolled, held),
        triggers={camera.name: Triggers(camera.name, part_ids.window_s) for camera in named},
    )


def open_judge(engine: Engine, bundle: Bundle, product: Product, *, decider: Decider | None = None) -> Judge:
    """The judge of one view of a product on a compiled engine of this bundle, outside a station.

    Args:
        decider: with the product's description; None: the calibrated score decides.

    Raises:
        ProductError: another bundle learned the product, or its memory cannot be read.
    """
    from edge.vision.inspector import Inspector

    check_learned_by(bundle.id, product)
    return Judge(
        Inspector(engine, product.memory()),
        station="",
        product=product.name,
        bundle=bundle.id,
        decider=decider,
    )
