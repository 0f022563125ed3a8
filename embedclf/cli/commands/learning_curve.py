"""``embedclf learning-curve``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.job import file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.tables import table
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.evaluation.learning import LearningCurve


_PLOT_WIDTH = 39


@click.command("learning-curve")
@click.argument("dataset")
@report_option
@page_options
@training_options
@seed_option
@file_job("needed", kind=TrainingJob)
def command(job: TrainingJob, report: str | None, about: PageOptions, seed: int, training: TrainingOptions) -> None:
    """Show how accuracy grows with more training rows of DATASET.

    A fifth of the rows is held out for testing. Classifiers are trained on growing samples of the rest, each about
    twice as large as the last; small sizes are sampled several times.
    """
    from embedclf.cli.pages import facts_of_file
    from embedclf.cli.progress import Steps
    from embedclf.evaluation.learning import learning_curve
    from embedclf.pages.reports import learning_curve_page

    job.check_places(report=report)
    job.read()
    job.open_to_train(training, on_few=True)
    if job.is_dry():
        return
    page = job.page(report, about)
    vectors = job.embed_to_train()
    with Steps():
        curve = learning_curve(job.corpus.texts, job.corpus.labels, seed=seed, **vectors, **job.settings)
    title = f"Learning curve: {job.embedder.spec}, {training.head}, on {job.name}"
    facts = {"embedder": str(job.embedder.spec), "data": facts_of_file(job.corpus)}
    page.write(learning_curve_page, curve, title, **facts)
    if job.as_json:
        job.print_json(curve.to_dict())
    else:
        job.print_lines(_lines(curve))


def _lines(curve: "LearningCurve") -> list[str]:
    low = min(point.interval.low for point in curve.points)
    high = max(point.interval.high for point in curve.points)

    def place(accuracy: float) -> int:
        return round((accuracy - low) / max(high - low, 1e-9) * (_PLOT_WIDTH - 1))

    rows = []
    for point in curve.points:
        line = [" "] * _PLOT_WIDTH
        start, end = place(point.interval.low), place(point.interval.high)
        line[start : end + 1] = "-" * (end + 1 - start)
        line[place(point.accuracy)] = "o"
        interval = f"{point.interval.low:.3f} to {point.interval.high:.3f}"
        rows.append([f"{point.n_labels:,}", f"{point.accuracy:.3f}", interval, "".join(line)])
    scale = f"{low:.3f}{f'{high:.3f}':>{_PLOT_WIDTH - 5}}"
    return [
        f"Held-out test: {counted(curve.n_held_out, 'row')}",
        *table(["training rows", "accuracy", "95 % interval", scale], rows, left=(3,)),
        "",
        curve.verdict,
    ]
