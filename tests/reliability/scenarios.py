"""What may break around a station, one function each. Each returns the figures of its run."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.edge.messaging.brokers import wait_until
from tests.edge.messaging.dead_disk import dead_disk
from tests.reliability.bench import Bench, Figures
from tests.reliability.faults import Cable, fill, small_disk

RATE = 200.0

#: With so many results the scenarios are as long as their names say; with fewer, in proportion.
FULL = 10_000


def healthy(folder: Path, total: int) -> Figures:
    """Nothing breaks."""
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        return bench.finish("nothing breaks")


def _broker_dies(folder: Path, total: int, number: signal.Signals) -> Figures:
    times = 5
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        for n in range(1, times + 1):
            bench.wait_durable(total * n // (times + 1))
            bench.consumer.ready.wait(20)
            # What the broker has acknowledged and not saved, a consumer that lags behind never gets.
            wait_until(lambda: bench.consumer.count() >= bench.durable - RATE / 10, 30)
            bench.broker.kill(number)
            bench.faults += 1
            time.sleep(0.5)
            bench.broker.start()
        return bench.finish(f"broker gets {number.name}", f"{times} times, back after 0.5 s")


def broker_sigterm(folder: Path, total: int) -> Figures:
    """The broker is restarted in order."""
    return _broker_dies(folder, total, signal.SIGTERM)


def broker_sigkill(folder: Path, total: int) -> Figures:
    """The broker dies."""
    return _broker_dies(folder, total, signal.SIGKILL)


def broker_down(folder: Path, total: int) -> Figures:
    """The broker is away for long."""
    away_s = 60.0 * total / FULL
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        bench.wait_durable(total // 4)
        bench.broker.kill(signal.SIGTERM)
        bench.faults += 1
        time.sleep(away_s)
        bench.broker.start()
        return bench.finish("broker away", f"once, for {away_s:.0f} s")


def broker_flaps(folder: Path, total: int) -> Figures:
    """The broker comes and goes."""
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        while bench.durable < total and not bench.station_ended:
            time.sleep(2)
            bench.consumer.ready.wait(20)
            bench.broker.kill(signal.SIGTERM)
            bench.faults += 1
            time.sleep(0.2)
            bench.broker.start()
        return bench.finish("broker flaps", "up for 2 s, away for 0.2 s, over and over")


def consumer_away(folder: Path, total: int) -> Figures:
    """The consumer itself is away, and the broker keeps its session."""
    with Bench(folder, total, RATE, saves_changes=False).running() as bench:
        bench.start_station()
        bench.wait_durable(total // 4)
        bench.consumer.close()
        bench.faults += 1
        bench.wait_durable(total * 3 // 4)
        bench.consumer.come()
        return bench.finish("consumer away", "for half of the run; the broker keeps its session")


def broker_freezes(folder: Path, total: int) -> Figures:
    """The broker stops answering and its connections stay open."""
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        for n in range(1, 4):
            bench.wait_durable(total * n // 4)
            bench.broker.send(signal.SIGSTOP)
            bench.faults += 1
            time.sleep(8)  # longer than the station's keep-alive of 3 s
            bench.broker.send(signal.SIGCONT)
        return bench.finish("broker freezes", "3 times for 8 s, connections open")


def link_cut(folder: Path, total: int) -> Figures:
    """The cable is pulled: no reset, no answer, nothing (needs root)."""
    with Bench(folder, total, RATE).running() as bench, Cable() as cable:
        bench.listen_on(cable)
        bench.start_station()
        times = max(1, 4 * total // FULL)
        for n in range(1, times + 1):
            bench.wait_durable(total * n // (times + 1))
            cable.pull()
            bench.faults += 1
            time.sleep(8)  # longer than 1.5 times the station's keep-alive of 3 s
            cable.plug()
        return bench.finish("link cut", f"{times} times for 8 s, in a network namespace")


def station_sigkill(folder: Path, total: int) -> Figures:
    """The station dies at random points, and goes on from what was durable."""
    rng = random.Random(1)
    kills = max(1, 200 * total // FULL)
    with Bench(folder, total, RATE).running() as bench:
        for n in range(1, kills + 1):
            bench.start_station()
            bench.wait_durable(total * n // (kills + 1))
            time.sleep(rng.uniform(0, 0.05))
            bench.kill_station()
            bench.faults += 1
        bench.start_station()
        return bench.finish("station gets SIGKILL", f"at {kills} random points")


def disk_full(folder: Path, total: int) -> Figures:
    """Others fill the station's disk to the last block, and the broker is there."""
    with Bench(folder, total, RATE).running() as bench, small_disk(folder / "disk") as disk:
        bench.data = disk
        bench.start_station()
        bench.wait_durable(total // 4)
        fill(disk)
        bench.faults += 1
        bench.wait_durable(total * 3 // 4)
        (disk / "filler").unlink()
        return bench.finish("disk full, broker there", "for half of the run, on a tmpfs of 16 MB")


def disk_dead(folder: Path, total: int) -> Figures:
    """The disk refuses every write for half of the run, and the broker is there."""
    with Bench(folder, total, RATE).running() as bench:
        bench.start_station()
        bench.wait_durable(total // 4)
        with dead_disk(bench.station_pid):
            bench.faults += 1
            bench.wait_durable(total * 3 // 4)
        return bench.finish("disk dead, broker there", "for half of the run: every write fails")


def disk_full_broker_away(folder: Path, total: int) -> Figures:
    """The same without a broker: now something must go, and it is the oldest results, counted."""
    with Bench(folder, total, RATE).running() as bench, small_disk(folder / "disk") as disk:
        bench.data = disk
        bench.start_station()
        bench.wait_durable(total // 4)
        bench.broker.kill(signal.SIGTERM)
        fill(disk)
        bench.faults += 2
        bench.wait_durable(total * 3 // 4)
        bench.broker.start()
        return bench.finish("disk full, broker away", "for half of the run: the oldest results give way")


SCENARIOS: dict[str, Callable[[Path, int], Figures]] = {
    function.__name__: function
    for function in (
        healthy,
        broker_sigterm,
        broker_sigkill,
        broker_down,
        broker_flaps,
        broker_freezes,
        consumer_away,
        link_cut,
        station_sigkill,
        disk_full,
        disk_full_broker_away,
        disk_dead,
    )
}
