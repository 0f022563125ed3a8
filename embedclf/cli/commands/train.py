"""``embedclf train``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli import completers
from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.models import FOLDER, LATEST, check_replaced, remember_latest
from embedclf.cli.options import Share
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, seed_option, training_options
from embedclf.data.columns import names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.cli.file_options import FileOptions

_MOST_IN_A_NAME = 2


@click.command(
    "train",
    cls=Command,
    page="training.md",
    examples=[
        "embedclf train tickets.csv",
        "embedclf train tickets.csv -o tickets.safetensors --target-accuracy 0.95",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="Model file to write.  [default: models/<dataset>.safetensors]")
@click.option("--force", is_flag=True, help="Replace a model with other labels, or a file that is not a model.")
@training_options
@click.option(
    "--holdout",
    metavar="SHARE",
    type=Share(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of rows held out for testing, e.g. 0.1 or 10%, before training on all; 0 skips the test.",
)
@click.option(
    "--target-accuracy",
    metavar="SHARE",
    type=Share(0, 1, min_open=True, max_open=True),
    help="Pick the confidence threshold so that this share of answers is correct, e.g. 0.95 or 95%.",
)
@click.option(
    "--min-confidence",
    metavar="SHARE",
    type=Share(0, 1),
    help="Abstain below this confidence, e.g. 0.8 or 80%.  [default: never]",
)
@click.option(
    "--out-of-scope-label",
    metavar="NAME",
    shell_complete=completers.labels,
    help="Label of out-of-scope rows: used to choose the threshold, never predicted.",
)
@seed_option
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    output: str | None,
    force: bool,
    holdout: float,
    target_accuracy: float | None,
    min_confidence: float | None,
    out_of_scope_label: str | None,
    seed: int,
    training: TrainingOptions,
) -> None:
    """Train a classifier on FILE, a file of labelled texts.

    FILE is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is standard
    input. Several files with the same columns are read as one. The classifier is tested on held-out rows, then trained
    on all rows and saved.
    """
    if target_accuracy is not None and min_confidence is not None:
        raise click.UsageError(
            "--target-accuracy chooses the threshold and --min-confidence sets it: use only one of them."
        )
    from embedclf.classifier.model_file import check_model_name
    from embedclf.cli.notices import warn_of_findings
    from embedclf.data.atomic_file import AtomicFile, check_places
    from embedclf.data.label_sets import labels_in
    from embedclf.printing.figures import training_lines

    corpus = job.read()
    place = Path(output) if output is not None else _usual_place(corpus.files or (corpus.name,))
    for dataset in job.datasets:
        check_places({"the dataset": dataset}, {"the record of the latest model,": LATEST, "-o": place})
    check_model_name(place)
    if not job.asked.dry_run:
        check_replaced(place, labels_in(corpus.given_labels), force=force)
        AtomicFile(place).discard()  # check before the work starts that it can be written

    from embedclf.training.checks import check_abstaining
    from embedclf.training.trainer import train

    job.open_to_train(training, out_of_scope_label=out_of_scope_label)
    check_abstaining(target_accuracy, min_confidence)
    warn_of_findings(corpus, job.embedder, _check_command(job.datasets, job.file))
    if job.is_dry():
        return
    vectors = job.embed_to_train()
    classifier = train(
        job.corpus.texts,
        job.corpus.given_labels,
        holdout=holdout,
        seed=seed,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
        out_of_scope_label=out_of_scope_label,
        **vectors,
        **job.settings,
    )
    classifier = classifier.with_files(job.datasets, corpus, job.file.recorded)
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        job.print_json({"model": str(place), **classifier.to_dict()})
    else:
        job.print_lines([*training_lines(classifier), f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)"])


def _usual_place(files: "Sequence[str]") -> Path:
    """Return where the model of some files is saved: ``models/may.safetensors``, ``models/may+june.safetensors``."""
    first, *others = [Path(name).stem for name in files]
    named = f"+{len(others)}" if len(others) > _MOST_IN_A_NAME else "".join(f"+{name}" for name in others)
    return FOLDER / f"{first}{named}.safetensors"


def _check_command(datasets: "Sequence[str]", file: "FileOptions") -> str:
    """Return the shell command that checks the same files."""
    options = [
        *(("--text-column", name, None) for name in names_in(file.text_column or ())),
        ("--label-column", file.label_column, None),
        ("--label-separator", file.label_separator, None),
        ("--label-columns", ",".join(file.label_columns), ""),
        ("--delimiter", file.delimiter, None),
        ("--encoding", file.encoding, "utf-8"),
        ("--quoting", file.quoting, "auto"),
        ("--escape-char", file.escape_char, None),
    ]
    given = [part for name, value, usual in options if value != usual for part in (name, str(value))]
    given += [] if file.header else ["--no-header"]
    return shlex.join(["embedclf", "check", *datasets, *given])
