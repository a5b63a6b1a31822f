"""``records``: the history of inspections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.terminal.options import data_dir_option

if TYPE_CHECKING:
    from edge.records import Counters, History, Record

_AGO = re.compile(r"(\d+)\s*([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_ALL = 2**31
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, full-width forms and leading blanks included."""
_CSV_COLUMNS = (
    *("id", "seq", "station", "product", "part_id", "camera", "captured_at", "verdict", "code", "review"),
    *("p_anomaly", "score", "p_value", "location", "regions", "words", "error", "bundle", "references"),
    "view",
)


class TimeType(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """``30m``, ``2h``, ``7d`` ago, or a date with or without a time; UTC unless it names its zone."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment as UTC."""
        text = str(value).strip()
        ago = _AGO.fullmatch(text)
        try:
            if ago is not None:
                return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            # Python 3.10 does not read a Z.
            moment = datetime.fromisoformat(re.sub(r"\s*(Z|UTC)$", "+00:00", text))
            return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is no moment; write 30m, 2h, 7d, 2026-05-04, 2026-05-04T13:30 (UTC) or "
                "2026-05-04T13:30+02:00.",
                param,
                ctx,
            )


@click.command(name="records")
@click.option("--product", metavar="NAME", help="Only this product.")
@click.option("--verdict", type=click.Choice(["ok", "ng", "error"]), help="Only this verdict.")
@click.option("--review", is_flag=True, help="Only parts marked for review.")
@click.option(
    "--since",
    type=TimeType(),
    help="Only from this time on: 30m, 2h, 7d, 2026-05-04, 2026-05-04T13:30, 2026-05-04T13:30+02:00.",
)
@click.option("--until", type=TimeType(), help="Only before this time.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="At most this many, newest first.  [default: 20; all with --json and --export]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per inspection, newest first.")
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the inspections to a CSV file.",
)
@click.option(
    "--confirm-date",
    is_flag=True,
    help="After a jump of the date: confirm that it is now correct, so that old images and rows are deleted "
    "again.",
)
@data_dir_option
def command(
    product: str | None,
    verdict: str | None,
    review: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    as_json: bool,
    export: Path | None,
    confirm_date: bool,
    data_dir: Path | None,
) -> None:
    """Show the history of inspections, newest first.

    Times are UTC, in input and output, unless a given time names its zone.
    """
    from edge import paths
    from edge.inspection import Verdict
    from edge.records import History

    if confirm_date:
        _confirm_date(paths.data_dir(data_dir))
        return
    history = History(paths.data_dir(data_dir))
    found = history.query(
        product=product,
        verdict=Verdict(verdict) if verdict else None,
        review=True if review else None,
        since=since,
        until=until,
        limit=limit or (_ALL if as_json or export else 20),
    )
    if product is not None and not found:
        _check_product(history, product)
    if not found:
        click.echo("No inspection matches.", err=True)
    if export is not None:
        _export(export, found)
        click.echo(f"{len(found)} inspections written to {export}")
    elif as_json:
        for record in found:
            click.echo(record.inspection.to_json())
    else:
        _print_table(found)
        click.echo(_counters_line(history.counters(product)))


def _check_product(history: History, product: str) -> None:
    """Refuse a name that the history has never heard of: nothing found would say that it has no parts.

    Raises:
        RecordsError: with the names that there are.
    """
    from edge.errors import RecordsError

    known = history.products()
    if product not in known:
        meant = "".join(f" Did you mean {name!r}?" for name in get_close_matches(product, known, n=1))
        raise RecordsError(
            f"No inspection of a product {product!r} was ever recorded in {history.path}.",
            f"Recorded: {', '.join(known) or 'none'}.{meant}",
        )


def _confirm_date(data_dir: Path) -> None:
    from edge.clock import confirm_date
    from edge.errors import RecordsError

    try:
        confirm_date(data_dir)
    except OSError as error:
        raise RecordsError(
            f"{data_dir} cannot be written: {error.strerror or error}.",
            "Run this as the station's user, with its data_dir.",
        ) from error
    today = datetime.now(timezone.utc).date()
    click.echo(f"{today} is confirmed: from its next part on, the station deletes old images and rows again.")


def _print_table(found: Sequence[Record]) -> None:
    from edge.plain_text import one_line
    from edge.terminal.live import score_text

    rows = [
        ("SEQ", "CAPTURED (UTC)", "PRODUCT", "PART", "VERDICT", "SCORE", "P", "MS", "WHERE / ERROR", "IMAGE")
    ]
    for record in found:
        inspection = record.inspection
        total_ms = inspection.latency_ms.get("total")
        rows.append(
            (
                str(inspection.seq),
                inspection.captured_at,
                inspection.product,
                inspection.part_id,
                inspection.verdict.value.upper(),
                "" if inspection.score is None else score_text(inspection.score),
                "" if inspection.p_value is None else f"{inspection.p_value:.3f}",
                "" if total_ms is None else f"{total_ms:.0f}",
                inspection.location or inspection.error[:60],
                str(record.overlay or record.image or ""),
            )
        )
    rows = [tuple(map(one_line, row)) for row in rows]  # type: ignore[misc]  # as long as it was
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _counters_line(counters: Counters) -> str:
    line = f"ever: {counters.total} inspections: {counters.ok} OK, {counters.ng} NG, {counters.error} errors"
    if counters.latency_min_ms is None:
        return line
    times = (counters.latency_min_ms, counters.latency_mean_ms or 0.0, counters.latency_max_ms or 0.0)
    return line + "; {:.0f} / {:.0f} / {:.0f} ms (min / mean / max)".format(*times)


def csv_cell(value: object) -> object:
    """A text or path that no spreadsheet takes for a formula: an apostrophe stands before one that would be.

    Numbers stay numbers, also negative ones.
    """
    if not isinstance(value, str | Path):
        return value
    text = str(value).encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def _export(path: Path, found: Sequence[Record]) -> None:
    """Write the records as CSV, whole or not at all."""
    import csv
    import json

    from edge.errors import RecordsError
    from edge.whole_file import written_whole

    try:
        with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*_CSV_COLUMNS, "total_ms", "image", "overlay"])
            for record in found:
                fields = record.inspection.to_dict() | {
                    "regions": json.dumps(record.inspection.to_dict()["regions"])
                }
                total_ms = record.inspection.latency_ms.get("total")
                row = [*(fields[name] for name in _CSV_COLUMNS), total_ms, record.image, record.overlay]
                writer.writerow(map(csv_cell, row))
    except OSError as error:
        raise RecordsError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Name a file in a folder that may be written.",
        ) from error
