"""``embedclf cross-validate``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.job import file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.tables import table, with_interval
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options
from embedclf.formatting import rounded_down

if TYPE_CHECKING:
    from embedclf.evaluation.cross_validation import CrossValidation

_ADDED = {"predicted_label": str, "confidence": float, "repeat": int, "fold": int}


@click.command("cross-validate")
@click.argument("dataset")
@click.option("--folds", metavar="N", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds.")
@click.option(
    "--repeats",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Repeat with new random folds.",
)
@click.option(
    "--output", metavar="FILE", help="Write the prediction for each row to a .csv, .tsv, .jsonl or .parquet file."
)
@report_option
@page_options
@training_options
@seed_option
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    folds: int,
    repeats: int,
    output: str | None,
    report: str | None,
    about: PageOptions,
    seed: int,
    training: TrainingOptions,
) -> None:
    """Estimate by cross-validation how accurate a classifier trained on DATASET would be.

    The rows are split into folds, and each fold is predicted by a classifier trained on the others. Every row is
    predicted once per repeat, by a classifier that has not seen it; exact duplicates share a fold.
    """
    from embedclf.cli.pages import facts_of_file, places_in
    from embedclf.cli.progress import Steps
    from embedclf.evaluation.cross_validation import cross_validate
    from embedclf.pages.reports import cross_validation_page

    job.check_places(output=output, report=report)
    job.read()
    job.open_to_train(training)
    if job.is_dry():
        return
    page, writer = job.page(report, about), job.writer(output, _ADDED, ["line", "text", "label"])
    vectors = job.embed_to_train()
    corpus = job.corpus
    with Steps():
        result = cross_validate(
            corpus.texts, corpus.labels, folds=folds, repeats=repeats, seed=seed, **vectors, **job.settings
        )
    if writer is not None:
        for one in result.predictions:
            writer.write(corpus.row(one.row), [one.label, rounded_down(one.confidence), one.repeat, one.fold])
    job.end_writing(output, len(result.predictions))
    title = f"Cross-validation: {job.embedder.spec}, {result.head}, on {job.name}"
    facts = {"embedder": str(job.embedder.spec), "data": facts_of_file(corpus)}
    page.write(cross_validation_page, result, title, places_in(corpus), **facts)
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["report"]["wrong"])
    else:
        job.print_lines(_lines(result))


def _lines(result: "CrossValidation") -> list[str]:
    repeats = "" if result.n_repeats == 1 else f", {result.n_repeats} repeats"
    lines = [
        f"rows               {result.n_examples:,} ({result.n_folds}-fold cross-validation{repeats})",
        f"accuracy           {with_interval(result.accuracy, result.accuracy_interval)}",
        f"macro-F1           {with_interval(result.macro_f1, result.macro_f1_interval)}",
        f"log loss           {result.log_loss:.3f}",
        f"calibration error  {result.ece:.3f}  (ECE)",
    ]
    if result.n_always_fitted:
        rows_left = "1 row," if result.n_always_fitted == 1 else f"{result.n_always_fitted:,} rows, each"
        lines.append(f"not measured       {rows_left} the only text of its label: always used for training")
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
