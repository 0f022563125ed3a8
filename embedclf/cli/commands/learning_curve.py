"""``embedclf learning-curve``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.job import file_job
from embedclf.cli.lines import HEADING, Line
from embedclf.cli.options import report_option
from embedclf.cli.screen import columns
from embedclf.cli.tables import table
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.evaluation.learning import LearningCurve


_PLOT_WIDTH = 39
_LEAST_PLOT_WIDTH, _MOST_PLOT_WIDTH = 20, 100
_WIDTH_OF_FIGURES = 41


@click.command("learning-curve")
@click.argument("dataset")
@report_option
@training_options
@seed_option
@file_job("needed", kind=TrainingJob)
def command(job: TrainingJob, report: str | None, seed: int, training: TrainingOptions) -> None:
    """Show how accuracy grows with more training rows of DATASET.

    A fifth of the rows is held out for testing. Classifiers are trained on growing samples of the rest, each about
    twice as large as the last; small sizes are sampled several times.
    """
    from embedclf.cli.progress import Steps
    from embedclf.evaluation.learning import learning_curve
    from embedclf.pages.reports import learning_curve_page

    job.check_places(report=report)
    job.read()
    job.open_to_train(training, on_few=True)
    if job.is_dry():
        return
    page = job.page(report)
    vectors = job.embed_to_train()
    with Steps():
        curve = learning_curve(job.corpus.texts, job.corpus.labels, seed=seed, **vectors, **job.settings)
    page.write(learning_curve_page, curve, f"Learning curve: {job.embedder.spec}, {training.head}, on {job.name}")
    if job.as_json:
        job.print_json(curve.to_dict())
    else:
        job.print_lines(_lines(curve))


def _lines(curve: "LearningCurve") -> list[Line]:
    plot_width = _plot_width()
    low = min(point.interval.low for point in curve.points)
    high = max(point.interval.high for point in curve.points)

    def place(accuracy: float) -> int:
        return round((accuracy - low) / max(high - low, 1e-9) * (plot_width - 1))

    rows = []
    for point in curve.points:
        line = [" "] * plot_width
        start, end = place(point.interval.low), place(point.interval.high)
        line[start : end + 1] = "-" * (end + 1 - start)
        line[place(point.accuracy)] = "o"
        interval = f"{point.interval.low:.3f} to {point.interval.high:.3f}"
        rows.append([f"{point.n_labels:,}", f"{point.accuracy:.3f}", interval, "".join(line)])
    scale = f"{low:.3f}{f'{high:.3f}':>{plot_width - 5}}"
    return [
        f"Held-out test: {counted(curve.n_held_out, 'row')}",
        *table(["training rows", "accuracy", "95 % interval", scale], rows, left=(3,)),
        "",
        [(curve.verdict, HEADING)],
    ]


def _plot_width() -> int:
    """Return the width of the plot: the columns beside the figures, or of a line beneath them if these are few."""
    if (total := columns()) is None:
        return _PLOT_WIDTH
    beside = total - _WIDTH_OF_FIGURES
    return min(beside, _MOST_PLOT_WIDTH) if beside >= _LEAST_PLOT_WIDTH else min(_PLOT_WIDTH, total - 4)
