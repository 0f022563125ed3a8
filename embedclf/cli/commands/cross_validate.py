"""``embedclf cross-validate``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, label_hierarchy_option, seed_option, training_options
from embedclf.formatting import rounded_down

if TYPE_CHECKING:
    from embedclf.evaluation.cross_validation import Prediction
    from embedclf.evaluation.multilabel_cross_validation import PredictedLabels


@click.command(
    "cross-validate",
    cls=Command,
    page="comparing.md#cross-validation",
    examples=[
        "embedclf cross-validate tickets.csv",
        "embedclf cross-validate tickets.csv --folds 10 --report report.html",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
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
    "-o",
    "--output",
    metavar="FILE",
    help="Write the prediction for each row to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@click.option("--probabilities", is_flag=True, help="With --output: also write the probability of each label.")
@report_option
@page_options
@training_options
@label_hierarchy_option
@seed_option
@file_job("needed", kind=TrainingJob, writes_tables=True)
def command(
    job: TrainingJob,
    folds: int,
    repeats: int,
    output: str | None,
    probabilities: bool,
    report: str | None,
    about: PageOptions,
    label_hierarchy: str | None,
    seed: int,
    training: TrainingOptions,
) -> None:
    """Estimate by cross-validation how accurate a classifier trained on FILE would be.

    The rows are split into folds, and each fold is predicted by a classifier trained on the others. Every row is
    predicted once per repeat, by a classifier that has not seen it; exact duplicates share a fold. Several
    files with the same columns are read as one.
    """
    from embedclf.cli.pages import facts_of_file, places_in
    from embedclf.data.label_sets import LABEL_SEPARATOR, labels_in
    from embedclf.evaluation.cross_validation import AnyCrossValidation, CrossValidation, cross_validate
    from embedclf.pages.multilabel import multilabel_cross_validation_page
    from embedclf.pages.reports import cross_validation_page
    from embedclf.printing.cross_validation import cross_validation_lines, multilabel_cross_validation_lines

    if probabilities and output is None:
        raise click.UsageError("--probabilities needs --output FILE, to which it adds columns.")
    job.check_places(output=output, report=report)
    job.read()
    if label_hierarchy is not None:
        label_hierarchy, _ = job.put_in_tree(label_hierarchy)
    job.open_to_train(training)
    if job.is_dry():
        return
    classes = sorted(labels_in(job.corpus.given_labels)) if probabilities else []
    added = {**_added(several=job.corpus.is_multilabel), **{f"probability_{name}": float for name in classes}}
    page, writer = job.page(report, about), job.writer(output, added, job.corpus.row_columns)
    vectors = job.embed_to_train()
    corpus = job.corpus
    result: AnyCrossValidation = cross_validate(
        corpus.texts,
        corpus.given_labels,
        folds=folds,
        repeats=repeats,
        seed=seed,
        label_hierarchy=label_hierarchy,
        **vectors,
        **job.settings,
    )
    separator = job.file.label_separator or LABEL_SEPARATOR
    if writer is not None:
        for one in result.predictions:
            each = result.probabilities_by_repeat[one.repeat - 1, one.row].tolist() if probabilities else []
            numbers = [one.repeat, one.fold, *map(rounded_down, each)]
            writer.write(corpus.row(one.row), [*_answer(one, separator), *numbers])
    job.end_writing(output, len(result.predictions))
    title = f"Cross-validation: {job.embedder.spec}, {result.head}, on {job.name}"
    facts = {"embedder": job.embedder.spec.described, "data": facts_of_file(corpus)}
    is_usual = isinstance(result, CrossValidation)
    make_page = cross_validation_page if is_usual else multilabel_cross_validation_page
    page.write(make_page, result, title, places_in(corpus), **facts)
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["report"]["wrong"])
    else:
        job.print_lines(
            cross_validation_lines(result)
            if isinstance(result, CrossValidation)
            else multilabel_cross_validation_lines(result)
        )


def _added(*, several: bool) -> dict[str, type]:
    """Return the columns for a prediction, those of `predict` first."""
    own = {"predicted_labels": str, "confidences": str} if several else {"predicted_label": str, "confidence": float}
    return {**own, "repeat": int, "fold": int}


def _answer(one: "Prediction | PredictedLabels", separator: str) -> list[str | float]:
    from embedclf.evaluation.cross_validation import Prediction

    if isinstance(one, Prediction):
        return [one.label, rounded_down(one.confidence)]
    return [separator.join(one.labels), separator.join(f"{rounded_down(sure)}" for sure in one.confidences)]
