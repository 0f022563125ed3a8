"""``embedclf apply``."""

import shlex

import click

from embedclf.cli.file_options import FileOptions, escape_formulas_option, file_options
from embedclf.cli.help import Command
from embedclf.cli.screen import echo, echo_json
from embedclf.formatting import counted


@click.command(
    "apply",
    cls=Command,
    page="data-quality.md",
    examples=[
        "embedclf apply suspects.csv tickets.csv -o corrected.csv",
        "embedclf apply suggested.csv inbox.csv -o labelled.csv",
    ],
)
@click.argument("corrections")
@click.argument("dataset", metavar="FILE")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="Corrected copy to write, a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@escape_formulas_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
def command(
    corrections: str, dataset: str, output: str, escape_formulas: bool, as_json: bool, file: FileOptions
) -> None:
    """Write a copy of FILE with the labels changed in CORRECTIONS, and without the rows to drop.

    CORRECTIONS is a file from check --output or suggest --output, edited in a spreadsheet or otherwise. Enter the right
    label in its column label, or all labels of a text that may have several; in its column action, enter drop to drop
    the row, or relabel to accept the suggested label. All other rows stay as they are. If CORRECTIONS is about several
    files, apply it to one after the other. If a line to change no longer has the same text in FILE, nothing is written.
    """
    if corrections == dataset == "-":
        raise click.UsageError("CORRECTIONS and FILE cannot both be standard input.")
    from embedclf.quality.corrections import apply_corrections

    options = {**vars(file)}
    for name in ("labels", "usual", "usual_label_columns"):
        del options[name]
    done = apply_corrections(corrections, dataset, output, escape_formulas=escape_formulas, **options)
    changed = [(done.n_relabelled, "relabelled"), (done.n_dropped, "dropped")]
    said = ", ".join(f"{number:,} {what}" for number, what in changed if number) or "nothing changed"
    echo(f"Wrote {counted(done.n_rows, 'row')} to {output} ({said})", err=True)
    for other in done.other_files:
        rest = shlex.join(["embedclf", "apply", corrections, other, "-o"])
        echo(f"{corrections} is also about {other}: run {rest} FILE", err=True)
    if as_json:
        echo_json({"output": output, **done.to_dict()})
