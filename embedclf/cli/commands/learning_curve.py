"""``embedclf learning-curve``."""

import click

from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.options import report_option
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options


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
@report_option
@training_options
@seed_option
@file_job("needed", kind=TrainingJob)
def command(job: TrainingJob, report: str | None, seed: int, training: TrainingOptions) -> None:
    """Show how accuracy grows with more training rows of FILE.

    A fifth of the rows is held out for testing. Classifiers are trained on growing samples of the rest, each about
    twice as large as the last; small sizes are sampled several times.
    """
    from embedclf.cli.progress import Steps
    from embedclf.evaluation.learning import learning_curve
    from embedclf.pages.reports import learning_curve_page
    from embedclf.printing.figures import learning_curve_lines

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
        job.print_lines(learning_curve_lines(curve))
