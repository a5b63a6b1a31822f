"""The demo's acts: prepare, enroll, run with a broker and a subscriber, sum up."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from edge import tools
from edge.bundle import Bundle
from edge.cameras import read_image
from edge.choices import DecidedBy
from edge.config import load_station
from edge.demo.bundle import bundle_at_hand
from edge.demo.dialogue import dialogue_about
from edge.demo.gige import ADDRESS, SimulatedCamera, SimulatedPlc, camera_section
from edge.demo.images import DemoImages, folder_images, lay_out, solar_cells
from edge.demo.proof import Subscriber
from edge.demo.summary import SHEET_PARTS, DemoResults, against_labels
from edge.errors import LanguageError
from edge.image_types import Image
from edge.messaging import EmbeddedBroker
from edge.station.opening import opened_station
from edge.station.products import Products
from edge.station.run_counters import RunCounters
from edge.terminal.image_files import images_in
from edge.terminal.live import PartsView
from edge.terminal.log_lines import logging_to
from edge.terminal.progress import progress_bar
from edge.terminal.signals import StopSignal, stop_on_signals
from edge.vision.enrollment import enroll
from edge.vision.opening import described, open_engine

if TYPE_CHECKING:
    from edge.config import StationConfig
    from edge.inspection import Inspection
    from edge.vision.memory import Memory

#: So that a person can follow. A part comes when the one before has its verdict, never earlier.
_MOST_HZ = 4.0
_ARRIVAL_S = 10.0
_STATION = "demo-cell"
_SHEET = "contact-sheet.png"


class Show:
    """One demo, told to the person at the terminal as it goes.

    Args:
        folder: where its station lives: products, records, outbox, parts, contact sheet.
        gige: the parts come through a simulated GigE Vision camera instead of from the folder.
    """

    def __init__(self, folder: Path, *, no_color: bool, gige: bool) -> None:
        self._folder = folder
        self._gige = gige
        self._console = Console(no_color=no_color, highlight=False)

    def play(
        self, *, parts: int, images: Path | None, rate_hz: float | None, bundle_name: str | None
    ) -> bool:
        """The whole demo; true where Ctrl-C ended it early.

        Raises:
            EdgeError: something that it needs is missing.
        """
        bundle = bundle_at_hand(bundle_name)
        tools.require("demo", "The demo")
        self._say(f"bundle      {bundle.id}")
        source = solar_cells(parts) if images is None else folder_images(images, parts)
        for line in source.told:
            self._say(line)
        lay_out(source, self._folder / "parts")
        gathered = DemoResults(source.defective)
        with ExitStack() as stack:
            if self._gige:
                stack.enter_context(SimulatedCamera(self._folder / "parts"))
            decided_by = self._who_decides(bundle)
            self._enroll(bundle, source)
            rate_hz = rate_hz or _MOST_HZ
            config = self._write_station(source, bundle, rate_hz, decided_by)
            broker = stack.enter_context(EmbeddedBroker())
            messaging = config.messaging.model_copy(update={"brokers": (broker.settings(),)})
            topic = f"{messaging.site}/{messaging.line}/{messaging.station}/result"
            subscriber = stack.enter_context(Subscriber(broker.host, broker.port, topic))
            self._say(
                f"broker      mqtt://{broker.host}:{broker.port}, topic {topic}; a subscriber listens\n"
            )
            wish, counters, judged_hz = self._run(
                config.model_copy(update={"messaging": messaging}), gathered, subscriber, rate_hz
            )
            missing = subscriber.wait_for({i.seq for i in gathered.inspections}, _ARRIVAL_S)
            self._sum_up(gathered, source, counters, judged_hz, topic, missing)
            if gathered.inspections:
                self._say_where(source, gathered, decided_by)
        if decided_by == "language" and gathered.worst is not None and not wish.interrupted:
            self._talk(bundle, source, gathered.worst)
        return wish.interrupted

    def _who_decides(self, bundle: Bundle) -> DecidedBy:
        """The language model, where the bundle has one."""
        if bundle.manifest.language is None:
            self._say(f"verdict     by the calibrated score alone: {bundle.name} has no language half")
            return "calibration"
        self._say("verdict     by the language model: its Yes or its No, and no threshold")
        return "language"

    def _enroll(self, bundle: Bundle, source: DemoImages) -> None:
        """Learn the product."""
        products = Products(self._folder)
        started_s = time.monotonic()
        engine = open_engine(bundle)
        try:
            with progress_bar() as progress:

                def learn(references: Sequence[Image]) -> Memory:
                    return enroll(engine, references, bundle_id=bundle.id, progress=progress)

                references = [read_image(path) for path in source.references]
                if source.product in products.names():
                    products.delete(source.product)
                product = products.enroll(source.product, references, learn, source.description)
            took_s = time.monotonic() - started_s
            self._say(
                f"product     {product.name}: learned from {len(references)} good parts in {took_s:.1f} s "
                f"({bundle.name}, {described(engine)})"
            )
        finally:
            engine.close()

    def _write_station(
        self, source: DemoImages, bundle: Bundle, rate_hz: float, decided_by: DecidedBy
    ) -> StationConfig:
        """The demo's station as a file that `run` takes, so that it can be tried and changed."""
        path = self._folder / "station.yaml"
        content = {
            "station": {"site": "demo", "line": "line1", "name": _STATION},
            "product": source.product,
            "bundle": str(bundle.path),
            "data_dir": ".",
            "camera": camera_section(read_image(source.references[0]))
            if self._gige
            else {"kind": "folder", "path": "parts", "rate_hz": rate_hz},
            "queue": {"size": 0},
            "verdict": {"decided_by": decided_by},
            "records": {"keep_images": "all"},
        }
        path.write_text(
            "# The demo's station. Add messaging.brokers to publish.\n"
            + yaml.safe_dump(content, sort_keys=False)
        )
        what = f"GigE Vision on {ADDRESS}: triggered over MQTT for" if self._gige else "replays"
        self._say(
            f"camera      {what} {len(source.parts)} parts, each when the one before is judged, "
            f"at most {rate_hz:g} a second"
        )
        return load_station(path)

    def _run(
        self, config: StationConfig, gathered: DemoResults, subscriber: Subscriber, rate_hz: float
    ) -> tuple[StopSignal, RunCounters, float]:
        """The station at work: who ended it, its counters, and how many parts a second it judged."""
        parts = [file.stem for file in images_in(self._folder / "parts")]

        def heard() -> str:
            return f" {len(subscriber.verdicts)} verdicts came back over MQTT    Ctrl-C ends the demo"

        live = self._console.is_terminal
        title = f"{config.product} on {config.station.name}"
        view = PartsView(self._console, title, len(parts), heard)
        with ExitStack() as stack:
            stack.enter_context(logging_to(self._console if live else None, logging.WARNING))
            station = stack.enter_context(
                opened_station(
                    config,
                    [gathered.add, view.add if live else view.print_line],
                    [gathered.hear, view.hear if live else view.print_words],
                )
            )
            view.count(lambda: station.counters)
            wish = stack.enter_context(stop_on_signals(station.stop))
            if live:
                stack.enter_context(view.live())
            if self._gige:
                stack.enter_context(SimulatedPlc(subscriber, parts, rate_hz, station.stop))
            began_s = time.monotonic()
            counters = station.run()
            return wish, counters, counters.total / (time.monotonic() - began_s)

    def _sum_up(
        self,
        gathered: DemoResults,
        source: DemoImages,
        counters: RunCounters,
        judged_hz: float,
        topic: str,
        missing: set[int],
    ) -> None:
        count = len(gathered.inspections)
        self._say(f"\n{counters}; {judged_hz:.1f} parts a second")
        if gathered.stood_in:
            self._say(
                f"language: it gave no verdict on {gathered.stood_in} of {count} parts; there the calibrated "
                f"score decided, up for review: {gathered.language_error}"
            )
        if missing:
            self._say(
                f"MQTT: {len(missing)} of {count} verdicts did not arrive on {topic}: seq {sorted(missing)}"
            )
        else:
            self._say(f"MQTT: all {count} verdicts arrived on {topic}")
        if gathered.sentences:
            self._say(f"words: {gathered.sentences} of {counters.ng} alarms were put into words")
        if not count:
            return
        self._say("\nagainst the labels")
        lines = against_labels(gathered.labelled())
        for line in lines:
            self._say(line)
        sheet = self._folder / _SHEET
        first = f"the first {SHEET_PARTS} of {count} parts" if count > SHEET_PARTS else f"{count} parts"
        gathered.write_sheet(sheet, f"{source.product}: {first}", lines[-1].strip())

    def _talk(self, bundle: Bundle, source: DemoImages, worst: Inspection) -> None:
        """Three questions about the worst part, and what the language model answers."""
        product = Products(self._folder).get(source.product)
        self._say(f"\na dialogue about {worst.part_id}, the part with the highest score")
        try:
            for question, answer in dialogue_about(bundle, product, source.parts[worst.part_id]):
                if question:
                    self._say(f"  you      {question}")
                self._say(f"  station  {answer}")
        except LanguageError as error:
            self._say(f"  {error}")

    def _say_where(self, source: DemoImages, gathered: DemoResults, decided_by: DecidedBy) -> None:
        folder, program = _short(self._folder), _program()
        worst = gathered.worst or gathered.inspections[0]
        part = source.parts[worst.part_id]
        decider = "" if decided_by == "language" else f"--decided-by {decided_by} "
        self._say(f"\ncontact sheet    {_short(self._folder / _SHEET)}")
        self._say(f"station          {folder}/station.yaml")
        self._say(f"records, images  {folder}/records.sqlite, {folder}/images")
        self._say(f"references       {folder}/products/{source.product}/references")
        self._say("\ntry next")
        self._say(f"  {program} records --data-dir {folder} --verdict ng")
        self._say(
            f"  {program} inspect --data-dir {folder} --product {source.product} --overlay . {decider}"
            f"{folder}/parts/{worst.part_id}{part.suffix}"
        )
        if not self._gige:
            self._say(f"  {program} run {folder}/station.yaml")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _program() -> str:
    """How this program is called from this shell."""
    name = "anomalygpt-edge"
    if shutil.which(name) is not None:
        return name
    beside = Path(sys.executable).with_name(name)
    return _short(beside) if beside.exists() else f"{_short(Path(sys.executable))} -m edge"
