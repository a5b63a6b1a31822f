"""Tables of measured figures for the documentation, each made from a file in ``benchmarks``.

A file is what a measuring command wrote with ``--json``: its block ``about`` says of which bundle, on which
machine, by which command and when. Of ``dialogue.json`` every figure is kept, but not the 720 questions and
answers that they are the shares of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"

_VERDICT_COLUMNS = {
    "image AUROC": "image_auroc",
    "words AUROC": "language_auroc",
    "pixel AUROC": "pixel_auroc",
    "PRO": "pro",
    "accuracy": "accuracy",
    "balanced": "balanced_accuracy",
    "accuracy, calibrated": "accuracy_calibration",
    "balanced, calibrated": "balanced_accuracy_calibration",
    "place": "location_accuracy",
}
_STAGES = {
    "decode": "decode (JPEG)",
    "language": "language (the verdict)",
    "record": "record (image, overlay, row; on the writer's thread)",
    "publish": "publish (outbox, acknowledged by the disk; likewise)",
}


@cache
def measured(name: str) -> Mapping[str, Any]:
    """A file of ``benchmarks``."""
    content: Mapping[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def source(name: str) -> str:
    """What stands above a table: the command, and what was measured where."""
    about = measured(name)["about"]
    machine = about["machine"]
    told = {"avx2": "AVX2", "avx512_vnni": "VNNI", "avx512_bf16": "bf16", "amx_tile": "AMX", "i8mm": "i8mm"}
    flags = ", ".join(told[flag] for flag in machine["instructions"] if flag in told)
    return (
        f"```console\n$ {about['command']}\n```\n\n"
        f"*{about['bundle']}, {about['date']}: {machine['cpus']} cores of {machine['cpu']} ({flags}), Python "
        f"{machine['python']}, OpenVINO {machine['openvino'].split('-')[0]}, llama-cpp-python "
        f"{machine['llama_cpp']}.*\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def per_cent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def run_of(shots: int, file: str = "evaluate") -> Mapping[str, Any]:
    return next(run for run in measured(file)["runs"] if run["shots"] == shots)


def verdicts(shots: int) -> str:
    """A row for each product and their mean."""
    run = run_of(shots)
    rows = [
        [name, str(one["images"]), *(per_cent(one[key]) for key in _VERDICT_COLUMNS.values())]
        for name, one in run["categories"].items()
    ]
    images = sum(one["images"] for one in run["categories"].values())
    means = [f"**{per_cent(run['mean'][key])}**" for key in _VERDICT_COLUMNS.values()]
    return table(["product", "images", *_VERDICT_COLUMNS], [*rows, ["**mean**", str(images), *means]])


def results() -> str:
    """README's: the means, by the number of references."""
    columns = ("image AUROC", "pixel AUROC", "accuracy", "balanced", "place")
    rows = [
        [
            "0 (words alone)" if run["shots"] == 0 else str(run["shots"]),
            *(per_cent(run["mean"][_VERDICT_COLUMNS[column]]) for column in columns),
        ]
        for run in measured("evaluate")["runs"]
    ]
    return table(["references", *columns], rows)


def by_product() -> str:
    """README's: image AUROC and balanced accuracy of each product with one and with four references."""
    one, four = run_of(1)["categories"], run_of(4)["categories"]
    rows = [
        [
            name,
            *(
                per_cent(run[name][key])
                for run in (one, four)
                for key in ("image_auroc", "balanced_accuracy")
            ),
        ]
        for name in one
    ]
    return table(["product", "AUROC, 1", "balanced, 1", "AUROC, 4", "balanced, 4"], rows)


def views() -> str:
    """Image AUROC and balanced accuracy, calibrated, of each product: the whole image and the chosen view."""
    rows = []
    names = list(run_of(1)["categories"])
    sides = [run_of(1), run_of(1, "view"), run_of(4), run_of(4, "view")]
    keys = ("image_auroc", "balanced_accuracy_calibration")
    for name in names:
        rows.append([name, *(per_cent(run["categories"][name][key]) for key in keys for run in sides)])
    means = [f"**{per_cent(run['mean'][key])}**" for key in keys for run in sides]
    header = [
        f"{what}, {shots}, {view}"
        for what in ("AUROC", "balanced")
        for shots in (1, 4)
        for view in ("none", "auto")
    ]
    return table(["product", *header], [*rows, ["**mean**", *means]])


def dialogue() -> str:
    """The share of right answers by the kind of question."""
    found = measured("dialogue")
    kinds = found["by_kind"]
    return table(
        [*kinds, "all"], [[*(per_cent(share) for share in kinds.values()), f"**{per_cent(found['right'])}**"]]
    )


def ablation() -> str:
    """A row for each way to judge."""
    keys = ("auroc", "accuracy", "balanced_accuracy")
    rows = [[way["name"], *(per_cent(way[key]) for key in keys)] for way in measured("ablate")["ways"]]
    return table(["judged by", "image AUROC", "accuracy", "balanced"], rows)


def banks() -> str:
    """Image AUROC of each product by the rows that its bank keeps, with the difference to all."""
    products = measured("banks")["products"]
    sizes = list(products[0]["thinned"])

    def thinned(value: float | None, full: float | None) -> str:
        if value is None or full is None:
            return "–"
        return f"{100 * value:.1f} ({100 * (value - full):+.2f})"

    rows = [
        [
            each["name"],
            f"{each['all_rows']:,}",
            per_cent(each["full"]),
            *(thinned(each["thinned"][size], each["full"]) for size in sizes),
        ]
        for each in products
    ]
    return table(["product", "patches", "all", *(f"{int(size):,}" for size in sizes)], rows)


def stages() -> str:
    """What each stage of a station's work takes."""
    found = measured("bench")
    rows = [[_STAGES.get(name, name), *_times(each)] for name, each in found["stages_ms"].items()]
    vision = [f"**{each}**" for each in _times(found["vision_ms"])]
    return table(["stage", "p50 ms", "p99 ms"], [*rows, ["**vision path**", *vision]])


def _times(each: Mapping[str, float]) -> list[str]:
    return [f"{each[key]:.2f}" if each[key] < 1 else f"{each[key]:.1f}" for key in ("p50", "p99")]


def precisions() -> str:
    """The vision path and the bare encoder in each precision."""
    rows = [
        [
            name,
            f"{run['vision_ms']['p50']:.1f}",
            f"{run['encoder_ms']['p50']:.1f}",
            f"{run['ratio_to_encoder']:.3f}",
            f"{run['vision_speedup']:.2f}",
        ]
        for name, run in measured("bench")["precisions"].items()
    ]
    header = ["precision", "vision path p50 ms", "bare encoder p50 ms", "ratio", "times as fast as fp32"]
    return table(header, rows)


def engines() -> str:
    """Milliseconds an image, and the share of the machine's peak, by side and engine."""
    found = measured("engines")["engines"]
    single = [each for each in found if each["batch"] == 1]
    names = list(dict.fromkeys(f"{each['runtime']} {each['precision']}" for each in single))
    rows = []
    for side in dict.fromkeys(each["size"][0] for each in single):
        own = {f"{e['runtime']} {e['precision']}": e for e in single if e["size"][0] == side}
        gflop = next(iter(own.values()))["gflop_per_image"]
        cells = [
            f"{own[n]['ms_per_image']:.1f} ({own[n]['of_peak']:.0%})" if n in own else "–" for n in names
        ]
        rows.append([str(side), f"{gflop:.1f}", *cells])
    return table(["side", "GFLOP", *names], rows)


def bank_times() -> str:
    """What matching costs as a share of the encoder, by the rows of the bank."""
    found = measured("engines")["banks"]
    names = list(found[0]["share_of_encoder"])
    rows = [
        [
            f"{each['rows']:,}",
            f"{each['match_ms']:.1f}",
            *(f"{each['share_of_encoder'][n]:.1%}" for n in names),
        ]
        for each in found
    ]
    return table(["rows", "p50 ms", *(f"of {name}" for name in names)], rows)


def parity(file: str) -> str:
    """What the gate measured of each precision."""
    rows = []
    for name, each in measured(file)["graphs"].items():
        apart, same = each["map_difference_mean"], each["verdict_agreement"]
        rows.append(
            [
                name,
                f"{each['against']} ({each['images']} images)",
                f"{each['patch_cosine_mean']:.5f}",
                f"{each['patch_cosine_min']:.4f}",
                f"{each['image_auroc']:.4f} ({each['image_auroc_reference']:.4f})",
                "" if apart is None else f"{apart:.4f}",
                "" if same is None else f"{round(same * each['verdicts'])} of {each['verdicts']}",
            ]
        )
    header = ["precision", "against", "mean patch cosine", "worst patch", "image AUROC (reference)"]
    return table([*header, "mean difference of the maps", "same verdict"], rows)


def parity_maps() -> str:
    """How far the maps and verdicts of a product are those of fp32, as a sentence."""
    graphs = measured("parity")["graphs"]
    apart = {name: one for name, one in graphs.items() if one["map_difference_mean"] is not None}
    maps = ", ".join(f"{name} {one['map_difference_mean']:.4f}" for name, one in apart.items())
    same = ", ".join(
        f"{name} {round(one['verdict_agreement'] * one['verdicts'])} of {one['verdicts']}"
        for name, one in apart.items()
    )
    return (
        "On a rendered product that each precision enrolled by itself, the maps differ from those of fp32 by "
        f"(mean) {maps}; verdicts that are the same: {same}."
    )


def layers() -> str:
    """What each precision costs the embedding and both halves of some layers: one minus the cosine."""
    wanted = ("embedding", "layer.0.mlp", "layer.2.mlp", "layer.3.attention", "layer.9.mlp")
    rows = [
        [
            each["part"],
            f"{each['largest']:.0f} at {each['largest_at']}",
            *(f"{each[of][name]:.1e}" for name in ("fp16", "int8") for of in ("alone", "through")),
        ]
        for each in measured("precisions")["layers"]
        if each["part"] in wanted
    ]
    header = ["part", "largest activation", "fp16 alone", "up to here", "int8 alone", "up to here"]
    return table(header, rows)


def symmetric() -> str:
    """What symmetric ranges cost int8, as a sentence."""
    graphs = measured("precisions")["graphs"]
    ours, symmetric = (graphs[name] for name in ("int8", "int8-symmetric"))
    more = (1 - symmetric["patch_cosine_mean"]) / (1 - ours["patch_cosine_mean"]) - 1
    return (
        f"On {ours['images']} real images the mean cosine of the patches to fp32's is "
        f"{ours['patch_cosine_mean']:.5f} with zero points and {symmetric['patch_cosine_mean']:.5f} with "
        f"symmetric ranges, an error that is {more:.0%} larger."
    )


def budget(kind: str) -> str:
    """What a board's memory is needed for, in MB; with what was measured on the machine at hand."""
    found = measured("budget")
    parts = found[kind]
    used = sum(part["bytes"] for part in parts)
    rows = [
        [
            part["name"],
            _megabytes(part["bytes"]),
            "" if part["measured"] is None else _megabytes(part["measured"]),
            part["how"],
        ]
        for part in parts
    ]
    left = f"**left of {_megabytes(found['board'])}: {_megabytes(found['board'] - used)}**"
    return table(["part", "MB", "here", "from"], [*rows, ["**sum**", f"**{_megabytes(used)}**", "", left]])


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f}" if count >= 10e6 else f"{count / 1e6:.1f}"


_FAULTS = {
    "healthy": "nothing",
    "broker_sigterm": "broker gets SIGTERM, 5 times",
    "broker_sigkill": "broker gets SIGKILL, 5 times",
    "broker_down": "broker away for 60 s",
    "broker_flaps": "broker flaps: up 2 s, away 0.2 s",
    "broker_freezes": "broker freezes 3 times for 8 s, connections open",
    "consumer_away": "consumer away for half of the run",
    "link_cut": "cable pulled 4 times for 8 s (network namespace)",
    "station_sigkill": "station gets SIGKILL at 200 random points",
    "disk_full": "disk full to the last block, broker available",
    "disk_full_broker_away": "disk full to the last block, broker away",
    "disk_dead": "disk fails every write for half of the run, broker available",
}


def faults() -> str:
    """What arrived of the results of a station around which something breaks."""
    found = measured("reliability")
    keys = ("sent", "lost", "repeats", "out_of_order", "dropped")
    rows = [[said, *(f"{found[name][key]:,}" for key in keys)] for name, said in _FAULTS.items()]
    return table(["fault", "sent", "lost", "repeats", "out of order", "dropped by rule"], rows)


def inspection_path() -> str:
    """The time of a part without and with faults around the station."""
    rows = []
    for name, said in (
        ("inspection_path", "the shipped bundle, the calibrated verdict"),
        ("fast_inspection_path", "a tiny encoder, the calibrated verdict"),
    ):
        found = measured("reliability")[name]
        calm, trouble = found["healthy"], found["any trouble"]
        rows.append(
            [
                f"{said}, {found['rate, parts per second']:g} parts per second",
                *(f"{calm[key]:,}, {trouble[key]:,}" for key in ("parts", "p50 ms", "p99 ms")),
                f"{found['p99 any trouble / healthy']:.3f}",
            ]
        )
    return table(["", "parts: no fault, fault", "p50 ms", "p99 ms", "p99 fault / no fault"], rows)


def throughput() -> str:
    """Results a second, as a table."""
    found = measured("reliability")["throughput"]
    rows = [["paho alone, QoS 1, nothing stored", "–", f"{found['paho alone, per second']:,}"]]
    for name, said in (("50 events", "50 results per commit"), ("one event", "one result per commit")):
        rates = [
            f"{found[f'outbox, {name} per commit, {way} per second']:,}" for way in ("durable", "delivered")
        ]
        rows.append([f"outbox, {said}", *rates])
    return table(["", "durable per second", "delivered per second"], rows)


def day_without_broker() -> str:
    """What an outbox keeps of a day on which nobody listens."""
    rows = []
    for name in ("day_without_broker", "fast_day_without_broker"):
        found = measured("reliability")[name]
        raised, kept = found["alarms raised, kept"]
        rows.append(
            [
                f"{found['parts'] / found['simulated hours'] / 3600:g} per second, {found['parts']:,}",
                f"{found['results kept']:,}",
                f"{found['dropped']:,}",
                f"{found['on the disk, MB']} MB",
                f"{kept} of {raised}",
                f"{found['catch-up, s']} s",
            ]
        )
    return table(
        ["parts", "results kept", "dropped, counted", "on disk", "alarms kept", "caught up in"], rows
    )


def right_part() -> str:
    """How many parts got another one's verdict, as a sentence."""
    lines = measured("reliability")["right_part"]
    hung = measured("reliability")["hung_inspector"]
    return (
        f"{lines['lines']:,} random lines with {lines['announced']:,} announced parts, "
        f"{lines['judged']:,} of them judged: {lines['mislabelled']} got another part's verdict. "
        f"A hung inspection was reported after {hung['told, s']} s at most, and after SIGTERM its process "
        f"had ended within {hung['gone, s']} s ({hung['runs']} runs)."
    )


def fuzzed_commands() -> str:
    """What became of random payloads, as a sentence."""
    found = measured("reliability")["fuzzed_commands"]
    return (
        f"{found['payloads']:,} random payloads on `cmd/#` of a station with a real broker (malformed and "
        "expired commands, other JSON, noise; names with slashes, with spaces, of 60 kB): "
        f"{found['done']} were executed, {found['answered']:,} were answered, {found['unanswerable']:,} had "
        "no readable id and were counted, and the next valid command was executed at once."
    )


def agreement() -> str:
    """How far torch's verdicts are llama.cpp's, as a sentence."""
    found = measured("agreement")
    return (
        f"{found['parts']} parts: {per_cent(found['same_verdict'])} with the same verdict; the differences "
        f"of the logits correlate {found['correlation']:.4f} and are {found['mean_apart']:.2f} apart, "
        f"{found['most_apart']:.2f} at most."
    )


def language() -> str:
    """What the language model adds, as a sentence."""
    found = measured("bench")
    added = found["language"]["verdict_adds_ms"]
    return (
        f"The language model's verdict adds {added['p50']:.1f} ms to the vision path (p99 {added['p99']:.1f} "
        f"ms); after the verdict it writes {found['language']['words_per_second']:.1f} words a second. "
        f"{found['memory_mb']['peak']:.0f} MB of memory at most."
    )


TABLES: dict[str, Callable[[], str]] = {
    **{f"figures-verdicts-{shots}": partial(verdicts, shots) for shots in (0, 1, 4, 8)},
    "figures-results": results,
    "figures-by-product": by_product,
    "figures-views": views,
    "figures-dialogue": dialogue,
    "figures-ablation": ablation,
    "figures-banks": banks,
    "figures-stages": stages,
    "figures-agreement": agreement,
    "figures-language": language,
    "figures-precisions": precisions,
    "figures-engines": engines,
    "figures-bank-times": bank_times,
    "figures-parity": partial(parity, "parity"),
    "figures-parity-real": partial(parity, "precisions"),
    "figures-parity-maps": parity_maps,
    "figures-layers": layers,
    "figures-symmetric": symmetric,
    "figures-budget-running": partial(budget, "running"),
    "figures-budget-compiling": partial(budget, "compiling"),
    "figures-faults": faults,
    "figures-inspection-path": inspection_path,
    "figures-throughput": throughput,
    "figures-day-without-broker": day_without_broker,
    "figures-right-part": right_part,
    "figures-fuzzed-commands": fuzzed_commands,
    **{f"figures-source-{path.stem}": partial(source, path.stem) for path in sorted(FOLDER.glob("*.json"))},
}
"""By the names of their blocks in the pages."""
