"""``embedclf learning-curve``."""

import click

from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, label_hierarchy_option, seed_option, training_options


@click.command(
    "learning-curve",
    cls=Command,
    page="comparing.md#learning-curve",
    examples=[
        "embedclf learning-curve tickets.csv",
        "embedclf learning-curve tickets.csv --report curve.html",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the points of the curve to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@report_option
@page_options
@training_options
@label_hierarchy_option
@seed_option
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    output: str | None,
    report: str | None,
    about: PageOptions,
    label_hierarchy: str | None,
    seed: int,
    training: TrainingOptions,
) -> None:
    """Show how accuracy grows with more training rows of FILE.

    A fifth of the rows is held out for testing. Classifiers are trained on growing samples of the rest, each about
    twice as large as the last; small sizes are sampled several times.
    """
    from embedclf.classifier.hierarchy import parts_of
    from embedclf.cli.pages import facts_of_file
    from embedclf.data.rows import Row
    from embedclf.evaluation.learning import learning_curve
    from embedclf.pages.reports import learning_curve_page
    from embedclf.printing.figures import learning_curve_lines

    job.check_places(output=output, report=report)
    job.read()
    levels = 0
    if label_hierarchy is not None:
        label_hierarchy, _ = job.put_in_tree(label_hierarchy)
        if not job.corpus.is_multilabel:
            levels = max(len(parts_of(label, label_hierarchy)) for label in job.corpus.labels)
    job.open_to_train(training, on_few=True)
    if job.is_dry():
        return
    page, writer = (
        job.page(report, about),
        job.writer(output, _point("micro_f1" if job.corpus.is_multilabel else "accuracy", levels), []),
    )
    vectors = job.embed_to_train()
    curve = learning_curve(
        job.corpus.texts,
        job.corpus.given_labels,
        seed=seed,
        label_hierarchy=label_hierarchy,
        **vectors,
        **job.settings,
    )
    if writer is not None:
        for point in curve.points:
            values = [point.n_labels, point.n_draws, point.score, *point.interval, *(point.level_accuracies or ())]
            writer.write(Row(0, {}, "", "", None), values)
    job.end_writing(output, len(curve.points))
    title = f"Learning curve: {job.embedder.spec}, {training.head}, on {job.name}"
    facts = {"embedder": job.embedder.spec.described, "data": facts_of_file(job.corpus)}
    page.write(learning_curve_page, curve, title, **facts)
    if job.as_json:
        job.print_json(curve.to_dict())
    else:
        job.print_lines(learning_curve_lines(curve))


def _point(metric: str, levels: int) -> dict[str, type]:
    """Return the columns for a point of the curve, with labels of so many levels."""
    own = {"training_rows": int, "samples": int, metric: float, f"{metric}_low": float, f"{metric}_high": float}
    return own | {f"level_{level}_accuracy": float for level in range(1, levels + 1)}
