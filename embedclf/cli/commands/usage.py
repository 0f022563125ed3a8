"""``embedclf usage``."""

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.amounts import time_ago_or_date
from embedclf.cli.help import Command
from embedclf.cli.options import cache_dir_option
from embedclf.cli.progress import ProgressLine
from embedclf.cli.screen import echo, echo_json, echo_lines

if TYPE_CHECKING:
    from embedclf.data.writer import CorpusWriter
    from embedclf.embedding.spending import Spending

# The columns of the file, after what each row is about.
_COLUMNS = {
    "texts": int,
    "from_cache": int,
    "requests": int,
    "tokens": int,
    "credits": float,
    "dollars": float,
    "dollars_source": str,
    "charged_dollars": float,
    "unpriced_requests": int,
    "saved_tokens": int,
    "saved_dollars": float,
}


@click.command(
    "usage",
    cls=Command,
    page="cost-and-cache.md#what-was-spent",
    examples=[
        "embedclf usage --by model --since 30d",
        "embedclf usage --since 2026-11-01 --output november.csv",
    ],
)
@click.option(
    "--by",
    type=click.Choice(["day", "model", "command"]),
    default="day",
    show_default=True,
    help="Show one row per day, model or command.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=time_ago_or_date,
    help="Only what was spent since then: 30d, 12h, or a local date such as 2026-11-01.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-o", "--output", metavar="FILE", help="Write the rows to a .csv, .tsv, .jsonl, .parquet or .xlsx file.")
@cache_dir_option
def command(
    by: Any, since: datetime | timedelta | None, as_json: bool, output: str | None, cache_dir: str | None
) -> None:
    """Show what embedding has cost, and what the cache has saved.

    The figures are those of all runs with this cache, from the ledger beside it. Charged is what the server says it
    charged, to the last credit; estimated is tokens times the price, where it does not say.
    """
    from embedclf.cli.notices import say_written
    from embedclf.data.atomic_file import check_places
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.printing.spending import shown_time, spending_lines

    cache = VectorCache(cache_dir)
    check_places({"the ledger": str(cache.ledger.path)}, {"--output": output})
    with ExitStack() as stack:
        stack.enter_context(ProgressLine(reads_stdin=False))
        writer = None if output is None else stack.enter_context(_writer(output, by))
        spending = cache.spending(by, since=since)
        if writer is not None and output is not None:
            _write(writer, spending, output)
    if output is not None:
        say_written(len(spending.rows), output)
    if as_json:
        echo_json({"ledger": str(cache.ledger.path), **spending.to_dict()})
        return
    echo_lines(spending_lines(spending))
    since_when = f", since {shown_time(spending)}" if spending.since is not None else ""
    days = f"; days in local time ({spending.time_zone})" if by == "day" and spending.rows else ""
    echo(f"From {cache.ledger.path}{since_when}{days}", err=True)


def _writer(output: str, by: str) -> "CorpusWriter":
    from embedclf.data.writer import CorpusWriter

    names = [by, "endpoint"] if by == "model" else [by]
    return CorpusWriter(output, [], {**dict.fromkeys(names, str), **_COLUMNS})


def _write(writer: "CorpusWriter", spending: "Spending", output: str) -> None:
    from embedclf.data.formats import file_format
    from embedclf.data.rows import Row

    is_text = file_format(output) in ("csv", "tsv")
    for number, row in enumerate(spending.to_dict()["rows"]):
        names = [name for name in (spending.by, "endpoint") if name in row]
        values = [row[name] for name in (*names, *_COLUMNS)]
        writer.write(Row(number + 1, {}, "", "", None), [*map(_in_full, values)] if is_text else values)


def _in_full(value: Any) -> Any:
    """Return a fraction of a cent as a spreadsheet shows it, where CSV has four decimals."""
    return f"{value:.12f}".rstrip("0").removesuffix(".") if isinstance(value, float) else value
