"""``embedclf split``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.file_options import FileOptions, escape_formulas_option, file_options, read_texts
from embedclf.cli.help import Command
from embedclf.cli.options import Share
from embedclf.cli.progress import ProgressLine
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.training_options import seed_option
from embedclf.errors import OutputError, TrainingError
from embedclf.formatting import counted, shown_share

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.quality.splitting import Divided

_MOST_LABELS = 5


@click.command(
    "split",
    cls=Command,
    page="data-quality.md#split",
    examples=[
        "embedclf split tickets.csv",
        "embedclf split tickets.csv --test 10% --test-output held_out.csv",
    ],
)
@click.argument("dataset", metavar="FILE")
@click.option(
    "--test",
    "share",
    type=Share(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the rows to put in the test file.",
)
@click.option("--train-output", metavar="FILE", help="Where to write the training rows.  [default: FILE_train]")
@click.option("--test-output", metavar="FILE", help="Where to write the test rows.  [default: FILE_test]")
@click.option("--force", is_flag=True, help="Replace FILE_train and FILE_test if they exist.")
@seed_option
@escape_formulas_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("needed")
def command(
    dataset: str,
    share: float,
    train_output: str | None,
    test_output: str | None,
    force: bool,
    seed: int,
    escape_formulas: bool,
    as_json: bool,
    file: FileOptions,
) -> None:
    """Split FILE, such as tickets.csv, into tickets_train.csv and tickets_test.csv.

    Each label has about the same share in both. Duplicates and near-duplicates stay on the same side, so no test row
    nearly repeats a training row; they are found by spelling, without an embedder. Rows are copied unchanged, with all
    columns, in their order. The same file and seed always give the same split.
    """
    from embedclf.data.atomic_file import check_places
    from embedclf.data.formats import named_beside
    from embedclf.quality.splitting import divided_rows

    given = {"train": train_output, "test": test_output}
    if dataset == "-" and None in given.values():
        raise click.UsageError(
            "Standard input has no name to derive the outputs from: use --train-output and --test-output."
        )
    outputs = {side: path or str(named_beside(dataset, f"_{side}")) for side, path in given.items()}
    check_places({"the dataset": dataset}, {f"--{side}-output": path for side, path in outputs.items()})
    for side, path in outputs.items():
        if given[side] is None and not force and Path(path).exists():
            raise OutputError(
                f"{path} exists: replace it with --force, or choose another file with --{side}-output", path=path
            )
    with ProgressLine(reads_stdin=dataset == "-"):
        corpus = read_texts(dataset, file)
        try:
            divided = divided_rows(corpus.texts, corpus.given_labels, test=share, seed=seed)
        except TrainingError as error:
            raise TrainingError(f"{corpus.name}: {error}") from error
        _write(corpus, divided, outputs, escape_formulas=escape_formulas)
    sides = {side: _side(corpus, divided, side) | {"output": path} for side, path in outputs.items()}
    if as_json:
        echo_json(
            {
                **sides,
                "kept_together": divided.n_kept_together,
                "groups": divided.n_groups,
                "not_tested": divided.not_tested,
            }
        )
        return
    width = max(map(len, outputs.values()))
    rows = len(corpus.rows)
    for one in sides.values():
        echo(
            f"{one['output']:<{width}}  {counted(one['rows'], 'row')} ({shown_share(one['rows'] / rows)}), "
            f"{counted(one['labels'], 'label')}"
        )
    _say_rest(divided)


def _side(corpus: "Corpus", divided: "Divided", side: str) -> dict[str, Any]:
    from embedclf.data.label_sets import labels_in

    labels: Sequence[Any] = corpus.given_labels
    own = [one for one, is_test in zip(labels, divided.is_test.tolist(), strict=True) if is_test == (side == "test")]
    return {"rows": len(own), "labels": len(labels_in(own))}


def _write(corpus: "Corpus", divided: "Divided", outputs: dict[str, str], *, escape_formulas: bool) -> None:
    """Write both files; neither is there if one cannot be written."""
    from contextlib import ExitStack

    from embedclf.data.writer import CorpusWriter

    with ExitStack() as stack:
        train, test = (
            stack.enter_context(
                CorpusWriter(
                    outputs[side],
                    corpus.columns,
                    [],
                    dialect=corpus.dialect,
                    bom=corpus.has_bom,
                    schema=corpus.schema,
                    header=corpus.has_header,
                    escape_formulas=escape_formulas,
                )
            )
            for side in ("train", "test")
        )
        for row, is_test in zip(corpus.rows, divided.is_test.tolist(), strict=True):
            (test if is_test else train).write(row, [])


def _say_rest(divided: "Divided") -> None:
    from embedclf.printing.tables import shown_label

    if divided.n_groups:
        groups = counted(divided.n_groups, "group")
        echo(
            f"{counted(divided.n_kept_together, 'row')} in {groups} of duplicates and near-duplicates stay on the same "
            "side."
        )
    if missing := divided.not_tested:
        named = [f"{shown_label(name)} ({counted(n, 'row')})" for name, n in list(missing.items())[:_MOST_LABELS]]
        more = f" and {len(missing) - _MOST_LABELS:,} more" if len(missing) > _MOST_LABELS else ""
        have = "has" if len(missing) == 1 else "have"
        echo(f"Warning: {counted(len(missing), 'label')} {have} no test row: {', '.join(named)}{more}", err=True)
