"""``embedclf train``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.job import file_job
from embedclf.cli.models import FOLDER, LATEST, remember_latest
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.classifier.model_file import HeldOut
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.cli.file_options import FileOptions


@click.command("train")
@click.argument("dataset")
@click.option("-o", "--output", metavar="FILE", help="Model file to write.  [default: models/<dataset>.safetensors]")
@training_options
@click.option(
    "--holdout",
    metavar="FRACTION",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of rows held out for testing, before training on all; 0 skips the test.",
)
@click.option(
    "--target-accuracy",
    metavar="SHARE",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Pick the confidence threshold so that this share of answers is correct (e.g. 0.95).",
)
@click.option(
    "--min-confidence",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Abstain below this confidence.  [default: never]",
)
@click.option(
    "--out-of-scope-label",
    metavar="NAME",
    help="Label of out-of-scope rows: used to choose the threshold, never predicted.",
)
@seed_option
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    output: str | None,
    holdout: float,
    target_accuracy: float | None,
    min_confidence: float | None,
    out_of_scope_label: str | None,
    seed: int,
    training: TrainingOptions,
) -> None:
    """Train a classifier on DATASET, a file of labelled texts.

    DATASET is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is standard
    input. The classifier is tested on held-out rows, then trained on all rows and saved.
    """
    if target_accuracy is not None and min_confidence is not None:
        raise click.UsageError(
            "--target-accuracy chooses the threshold and --min-confidence sets it: use only one of them."
        )
    from embedclf.cli.findings import warn_of_findings
    from embedclf.cli.progress import Steps
    from embedclf.data.atomic_file import AtomicFile, check_places

    corpus = job.read()
    place = Path(output) if output is not None else FOLDER / f"{Path(corpus.name).stem}.safetensors"
    check_places({"the dataset": job.dataset}, {"the record of the latest model,": LATEST, "-o": place})
    if not job.asked.dry_run:
        AtomicFile(place).discard()  # check before the work starts that it can be written

    from embedclf.training.checks import check_abstaining
    from embedclf.training.trainer import train

    job.open_to_train(training, out_of_scope_label=out_of_scope_label)
    check_abstaining(target_accuracy, min_confidence)
    warn_of_findings(corpus, job.embedder, _check_command(job.dataset, job.file))
    if job.is_dry():
        return
    vectors = job.embed_to_train()
    with Steps():
        classifier = train(
            job.corpus.texts,
            job.corpus.labels,
            holdout=holdout,
            seed=seed,
            target_accuracy=target_accuracy,
            min_confidence=min_confidence,
            out_of_scope_label=out_of_scope_label,
            **vectors,
            **job.settings,
        )
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        job.print_json({"model": str(place), **classifier.to_dict()})
    else:
        job.print_lines(_summary(classifier, place))


def _check_command(dataset: str, file: "FileOptions") -> str:
    """Return the shell command that checks the same file."""
    options = [
        ("--text-column", file.text_column, "text"),
        ("--label-column", file.label_column, "label"),
        ("--delimiter", file.delimiter, None),
        ("--encoding", file.encoding, "utf-8"),
    ]
    given = [part for name, value, usual in options if value != usual for part in (name, str(value))]
    return shlex.join(["embedclf", "check", dataset, *given])


def _beside(held_out: "HeldOut") -> str:
    """Return what simpler classifiers reach, to be shown beside an accuracy; nothing if that is unknown."""
    if held_out.baseline_accuracy is None:
        return ""
    words = "" if held_out.words_accuracy is None else f", words alone {held_out.words_accuracy:.3f}"
    return f" (baseline {held_out.baseline_accuracy:.3f}{words})"


def _summary(classifier: "TextClassifier", place: Path) -> list[str]:
    from embedclf.formatting import shown_share, shown_threshold

    card = classifier.card
    threshold = None if card.threshold is None else shown_threshold(card.threshold)
    lines = []
    if held_out := card.held_out:
        lines.append(
            f"Held-out test ({counted(held_out.n_examples, 'row')}): "
            f"accuracy {held_out.accuracy:.3f}{_beside(held_out)}, "
            f"macro-F1 {held_out.macro_f1:.3f}, calibration error {held_out.ece:.3f}"
        )
        if held_out.coverage is not None:
            accuracy = "" if held_out.answered_accuracy is None else f", accuracy {held_out.answered_accuracy:.3f}"
            answered = f"{shown_share(held_out.coverage)}{accuracy}"
            lines.append(f"At confidence ≥ {threshold}: answers {answered}")
        if held_out.out_of_scope_recall is not None:
            lines.append(f"Held-out out-of-scope rows rejected: {shown_share(held_out.out_of_scope_recall)}")
    chosen = "" if card.regularization is None else f"C = {card.regularization:g}, "
    rows = f"{card.n_examples:,} rows" + (" in scope" if card.out_of_scope_label is not None else "")
    abstains = "" if threshold is None else f", threshold {threshold}"
    lines.append(f"Trained on all {rows} ({card.head}, {chosen}temperature {card.temperature:.3g}{abstains})")
    lines.append(f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)")
    return lines
