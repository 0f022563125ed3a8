"""``embedclf cross-validate``."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.options import (
    EmbedderOptions,
    FileOptions,
    TrainingOptions,
    embedder_options,
    file_options,
    report_option,
    seed_option,
    training_options,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import table, with_interval
from embedclf.formatting import counted, rounded_down

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.evaluation.cross_validation import CrossValidation


@click.command("cross-validate")
@click.argument("dataset")
@click.option(
    "--folds", metavar="N", type=click.IntRange(min=2), default=5, show_default=True, help="Parts to leave out in turn."
)
@click.option(
    "--repeats", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="How often to divide anew."
)
@click.option(
    "--output", metavar="FILE", help="Write what was predicted for each row to a .csv, .tsv, .jsonl or .parquet file."
)
@report_option
@training_options
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("needed")
@embedder_options
def command(
    dataset: str,
    folds: int,
    repeats: int,
    output: str | None,
    report: str | None,
    seed: int,
    as_json: bool,
    training: TrainingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Measure how good a classifier trained on DATASET would be.

    The rows are divided into folds, and each fold is predicted by a classifier trained on the others. Every row is
    predicted once a repeat, by a classifier that has not seen it; exact duplicates are in one fold.
    """
    training.check()
    from embedclf.cli.costs import (
        add_lines,
        embed_to_train,
        introduce,
        open_to_train,
        print_estimate_to_train,
    )
    from embedclf.cli.pages import PageFile, places_in
    from embedclf.cli.progress import ProgressBar
    from embedclf.cli.steps import Steps
    from embedclf.data.atomic_file import check_places
    from embedclf.evaluation.cross_validation import cross_validate
    from embedclf.pages.reports import cross_validation_page
    from embedclf.training.checks import check_examples
    from embedclf.training.recipe import check_recipe

    check_places({"the dataset": dataset}, {"--output": output, "--report": report})
    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar())
        corpus, opened, reason, training = open_to_train(dataset, training, file, asked, bar)
        introduce(corpus, opened, reason)
        check_examples(corpus.texts, corpus.labels)
        check_recipe(**training.settings)
        if asked.dry_run:
            print_estimate_to_train(opened, corpus, training, as_json=as_json)
            return
        page = PageFile(report)
        writer = None if output is None else stack.enter_context(_writer(output))
        corpus, vectors = embed_to_train(opened, corpus, training, bar, skip_bad_rows=file.skip_bad_rows)
        with Steps():
            result = cross_validate(
                corpus.texts,
                corpus.labels,
                embedder=opened,
                folds=folds,
                repeats=repeats,
                seed=seed,
                **vectors,
                **training.settings,
            )
        if writer is not None:
            _write(writer, result, corpus)
    if output is not None:
        echo(f"Wrote {counted(len(result.predictions), 'row')} to {output}", err=True)
    page.write(
        cross_validation_page,
        result,
        f"Cross-validation: {opened.spec}, {result.head}, on {Path(corpus.name).name}",
        places_in(corpus),
    )
    if as_json:
        shown = result.to_dict()
        add_lines(shown["report"]["wrong"], corpus)
        echo_json({**shown, "usage": opened.usage.to_dict()})
    else:
        echo("\n".join(_lines(result)))


def _writer(path: str) -> "CorpusWriter":
    from embedclf.data.writer import CorpusWriter

    added = {"predicted_label": str, "confidence": float, "repeat": int, "fold": int}
    return CorpusWriter(path, ["line", "text", "label"], added)


def _write(writer: "CorpusWriter", result: "CrossValidation", corpus: "Corpus") -> None:
    for one in result.predictions:
        writer.write(corpus.row(one.row), [one.label, rounded_down(one.confidence), one.repeat, one.fold])


def _lines(result: "CrossValidation") -> list[str]:
    times = "" if result.n_repeats == 1 else f", {result.n_repeats} times"
    lines = [
        f"rows               {result.n_examples:,}, each left out once in {result.n_folds} folds{times}",
        f"accuracy           {with_interval(result.accuracy, result.accuracy_interval)}",
        f"macro-F1           {with_interval(result.macro_f1, result.macro_f1_interval)}",
        f"log loss           {result.log_loss:.3f}",
        f"calibration error  {result.ece:.3f}",
    ]
    if result.n_always_fitted:
        rows_left = counted(result.n_always_fitted, "row")
        lines.append(f"not measured       {rows_left}: the only texts of their labels, needed to train on")
    rows = [
        [
            str(one.repeat),
            str(one.fold),
            f"{one.n_examples:,}",
            f"{one.accuracy:.3f}",
            f"{one.macro_f1:.3f}",
            f"{one.log_loss:.3f}",
        ]
        for one in result.folds
    ]
    header = ["repeat", "fold", "rows", "accuracy", "macro-F1", "log loss"]
    skipped = 1 if result.n_repeats == 1 else 0
    return [*lines, "", *table(header[skipped:], [row[skipped:] for row in rows], left=())]
