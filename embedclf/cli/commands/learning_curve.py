"""``embedclf learning-curve``."""

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
from embedclf.cli.tables import table
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.evaluation.learning import LearningCurve


_PLOT_WIDTH = 40


@click.command("learning-curve")
@click.argument("dataset")
@report_option
@training_options
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("needed")
@embedder_options
def command(
    dataset: str,
    report: str | None,
    seed: int,
    as_json: bool,
    training: TrainingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Measure what more labels would bring: train on more and more of DATASET.

    A fifth of the rows is held out to measure on. Of the rest, more and more are trained on, about twice as many each
    time, and several choices of them where they are few.
    """
    training.check()
    from embedclf.cli.costs import embed_to_train, introduce, open_to_train, print_estimate_to_train
    from embedclf.cli.pages import PageFile
    from embedclf.cli.progress import ProgressBar
    from embedclf.cli.steps import Steps
    from embedclf.data.atomic_file import check_places
    from embedclf.evaluation.learning import learning_curve
    from embedclf.pages.reports import learning_curve_page
    from embedclf.training.checks import check_examples
    from embedclf.training.recipe import check_recipe

    check_places({"the dataset": dataset}, {"--report": report})
    with ProgressBar() as bar:
        corpus, opened, reason, training = open_to_train(dataset, training, file, asked, bar)
        introduce(corpus, opened, reason)
        check_examples(corpus.texts, corpus.labels)
        check_recipe(**training.settings)
        if asked.dry_run:
            print_estimate_to_train(opened, corpus, training, as_json=as_json, few=True)
            return
        page = PageFile(report)
        corpus, vectors = embed_to_train(opened, corpus, training, bar, skip_bad_rows=file.skip_bad_rows, few=True)
    with Steps():
        curve = learning_curve(corpus.texts, corpus.labels, embedder=opened, seed=seed, **vectors, **training.settings)
    page.write(
        learning_curve_page, curve, f"Learning curve: {opened.spec}, {training.head}, on {Path(corpus.name).name}"
    )
    if as_json:
        echo_json({**curve.to_dict(), "usage": opened.usage.to_dict()})
    else:
        echo("\n".join(_lines(curve)))


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
        f"Measured on {counted(curve.n_held_out, 'row')} held out:",
        *table(["labels", "accuracy", "95 % interval", scale], rows, left=(3,)),
        "",
        curve.verdict,
    ]
