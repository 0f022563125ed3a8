"""``embedclf train``."""

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from embedclf.cli import completers
from embedclf.cli.file_options import FileOptions, check_different, read_unsaid
from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.models import FOLDER, LATEST, check_replaced, remember_latest
from embedclf.cli.options import Share, costs_option, target_option
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import TrainingOptions, label_hierarchy_option, seed_option, training_options
from embedclf.data.columns import names_in
from embedclf.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
@click.argument("dataset", metavar="[FILE...]", nargs=-1)
@click.option("-o", "--output", metavar="FILE", help="Model file to write.  [default: models/<dataset>.safetensors]")
@click.option("--force", is_flag=True, help="Replace a model with other labels, or a file that is not a model.")
@click.option(
    "--labels",
    "labels_file",
    metavar="FILE",
    help="File with a column label and, if needed, one named description, to train with few rows or none.",
)
@click.option(
    "--from",
    "model",
    metavar="MODEL",
    shell_complete=completers.models,
    help="Train on the rows of this model and on FILE, with its embedder and settings, and compare both.",
)
@click.option(
    "--train-set",
    metavar="FILE",
    multiple=True,
    help="With --from, a file that MODEL was trained on; may be repeated.  [default: those that it records]",
)
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
@target_option(
    "precision", "Abstain instead of answering LABEL below a confidence, so that this share of its answers is correct"
)
@target_option(
    "recall", "Prefer LABEL to likelier labels from a probability on, so that this share of its rows gets it"
)
@costs_option
@click.option(
    "--out-of-scope-label",
    metavar="NAME",
    shell_complete=completers.labels,
    help="Label of out-of-scope rows: the model learns to reject them, and never predicts it.",
)
@label_hierarchy_option
@seed_option
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    output: str | None,
    force: bool,
    labels_file: str | None,
    holdout: float,
    target_accuracy: float | None,
    min_confidence: float | None,
    target_precision: dict[str, float],
    target_recall: dict[str, float],
    costs: str | None,
    out_of_scope_label: str | None,
    label_hierarchy: str | None,
    seed: int,
    training: TrainingOptions,
    model: str | None,
    train_set: "Sequence[str]",
) -> None:
    """Train a classifier on FILE, a file of labelled texts.

    FILE is a CSV, TSV, JSONL, Parquet or Excel file with a column of texts and one of labels; - is standard
    input. Several files with the same columns are read as one. The classifier is tested on held-out rows, then trained
    on all rows and saved. With --labels alone, each text gets the label whose name or description is nearest. With
    --from, FILE has more rows for a model, which may have new labels.
    """
    if not job.datasets and labels_file is None:
        raise click.UsageError("Missing argument 'FILE...'.")
    if target_accuracy is not None and min_confidence is not None:
        raise click.UsageError(
            "--target-accuracy chooses the threshold and --min-confidence sets it: use only one of them."
        )
    if model is None and train_set:
        raise click.UsageError("--train-set names the rows of the model of --from: without it, name all files as FILE.")
    if costs is not None and training.class_weight is not None:
        raise click.UsageError(
            "--class-weight says what it costs to miss a label, and --costs says it for each answer: use only one of "
            "them."
        )
    from embedclf.classifier.model_file import check_model_name
    from embedclf.cli.notices import warn_of_findings
    from embedclf.data.atomic_file import AtomicFile, check_places
    from embedclf.data.label_sets import labels_in
    from embedclf.printing.figures import training_lines

    if model is not None:
        if labels_file is not None:
            raise click.UsageError("Use either --from or --labels, not both.")
        weighed: dict[str, Any] = {
            "--class-weight": training.class_weight,
            "--costs": costs,
            "--label-hierarchy": label_hierarchy,
        }
        weighed |= {"--target-precision": target_precision, "--target-recall": target_recall}
        if asked := [name for name, value in weighed.items() if value]:
            raise click.UsageError(f"{asked[0]} cannot be used with --from: train on all files anew.")
        _extend(
            *(job, model, train_set, output),
            asked={
                "head": _given("head", training.head),
                "C": training.regularization,
                "features": _given("features", training.features),
                "label_names": training.label_names,
                "holdout": _given("holdout", holdout),
                "seed": _given("seed", seed),
                "target_accuracy": target_accuracy,
                "min_confidence": min_confidence,
                "out_of_scope_label": out_of_scope_label,
            },
            training=training,
            force=force,
        )
        return
    rules: dict[str, Any] = {"costs": costs, "target_precision": target_precision, "target_recall": target_recall}
    if labels_file is None:
        job.read()
    else:
        job.read_with_labels(labels_file)
        job.check_labels(
            training,
            out_of_scope_label=out_of_scope_label,
            needs_rows={"target_accuracy": target_accuracy, "label_hierarchy": label_hierarchy},
            needs_all_rows=rules,
        )
    if label_hierarchy is not None:
        label_hierarchy, out_of_scope_label = job.put_in_tree(label_hierarchy, out_of_scope_label)
    if out_of_scope_label is not None:
        job.check_outside(out_of_scope_label)
    corpus = job.corpus
    place = Path(output) if output is not None else _usual_place(corpus.files or (corpus.name,))
    for dataset in [*job.datasets, *([] if labels_file is None else [labels_file])]:
        check_places({"the dataset": dataset}, {"the record of the latest model,": LATEST, "-o": place})
    check_model_name(place)
    named = labels_in(corpus.given_labels) | set(job.described or ())
    check_replaced(place, named - {""}, force=force, dry=job.asked.dry_run)
    if not job.asked.dry_run:
        AtomicFile(place).discard()  # check before the work starts that it can be written

    from embedclf.classifier.label_files import read_costs
    from embedclf.training.checks import check_abstaining, check_kind_of_labels
    from embedclf.training.trainer import answer_rules, train

    job.open_to_train(training, out_of_scope_label=out_of_scope_label)
    check_abstaining(target_accuracy, min_confidence)
    check_kind_of_labels(
        several=job.corpus.label_sets is not None,
        in_tree=label_hierarchy is not None,
        target_accuracy=target_accuracy,
        costs=costs,
    )
    classes = sorted(labels_in(job.corpus.given_labels) - {out_of_scope_label})
    rules = {
        "costs": None if costs is None else read_costs(costs, classes, out_of_scope_label),
        "target_precision": target_precision or None,
        "target_recall": target_recall or None,
    }
    answer_rules(classes, **rules, outside=out_of_scope_label, separator=label_hierarchy)
    if job.has_labelled_rows:
        warn_of_findings(job.corpus, job.embedder, _check_command(job.datasets, job.file), out_of_scope_label)
    if job.is_dry():
        return
    vectors = job.embed_to_train()
    classifier = train(
        job.corpus.texts,
        job.corpus.given_labels if job.has_labelled_rows else None,
        holdout=holdout,
        seed=seed,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
        out_of_scope_label=out_of_scope_label,
        label_hierarchy=label_hierarchy,
        **rules,
        **vectors,
        **job.settings,
    )
    if job.has_labelled_rows:
        classifier = classifier.with_files(job.datasets, corpus, job.file.recorded, training.weight_column)
    else:
        classifier = classifier.with_columns(corpus.text_column, classifier.card.label_column)
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        job.print_json({"model": str(place), **classifier.to_dict()})
    else:
        job.print_lines([*training_lines(classifier), f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)"])


def _given(name: str, value: Any) -> Any:
    """Return the value of an option, or None if it was not given."""
    source = click.get_current_context().get_parameter_source(name)
    return None if source in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP) else value


def _extend(
    job: TrainingJob,
    model: str,
    train_sets: "Sequence[str]",
    output: str | None,
    *,
    asked: dict[str, Any],
    training: TrainingOptions,
    force: bool,
) -> None:
    """Train on the rows of a model and on those of the job."""
    from embedclf.classifier.model_file import check_model_name
    from embedclf.cli.notices import say_mapped, warn_of_findings
    from embedclf.cli.retraining import (
        check_labels,
        find_old_rows,
        introduce_retraining,
        retrain_on,
        warn_of_unused_columns,
    )
    from embedclf.data.atomic_file import check_places
    from embedclf.data.corpus import join
    from embedclf.evaluation.extension import plan_extension

    plan = plan_extension(model, training.embedder, asked=asked, **training.asked, **job.asked.settings())
    given = job.file
    job.file, job.embedder = given.as_recorded(plan.card).for_several(plan.card), plan.embedders.new
    if train_sets:
        check_different([*train_sets, *job.datasets])
        old, of_old = read_unsaid(train_sets, job.file.with_any_label_columns(), alike=False), train_sets
    else:
        # Only the new rows may be in other columns than the old ones were.
        as_then = replace(FileOptions().as_recorded(plan.card), label_map=job.file.label_map)
        old = find_old_rows(plan, as_then)
        of_old = () if plan.record is None else plan.record.files
        known = {os.path.realpath(name) for name in old.files or (old.name,)}
        if again := [name for name in job.datasets if os.path.realpath(name) in known]:
            raise ArgumentError(
                f"{model} was trained on {again[0]} already: name a file of new rows, or train on the file as it is "
                f"now with embedclf train {shlex.quote(again[0])} (--train-set FILE names other old rows)"
            )
        check_different(job.datasets)
    plan.n_old = len(old.texts)
    new = read_unsaid(job.datasets, job.file, alike=False)
    check_labels(plan, new, given)
    if train_sets:
        check_labels(plan, old, given)
    warn_of_unused_columns(new, old, given)
    job.corpus = corpus = join([old, new], alike=False)
    say_mapped(corpus)
    place = Path(output) if output is not None else _usual_place([*of_old, *job.datasets])
    for name in [*(old.files or (old.name,)), *job.datasets]:
        check_places({"the dataset": name}, {"the record of the latest model,": LATEST, "-o": place})
    check_model_name(place)
    introduce_retraining(plan, job)
    check = _check_command([*of_old, *job.datasets], job.file)
    warn_of_findings(job.corpus, plan.embedders.new, check, plan.card.out_of_scope_label)
    # A model that is named to be trained further may be replaced by what comes of it.
    force = force or os.path.realpath(place) == os.path.realpath(model)
    column = training.weight_column or plan.weight_column
    retrain_on(job, plan, [*of_old, *job.datasets], place, force=force, weight_column=column)


def _usual_place(files: "Sequence[str]") -> Path:
    """Return where the model of some files is saved: ``models/may.safetensors``, ``models/may+june.safetensors``."""
    from embedclf.data.formats import data_stem

    first, *others = map(data_stem, files)
    named = f"+{len(others)}" if len(others) > _MOST_IN_A_NAME else "".join(f"+{name}" for name in others)
    return FOLDER / f"{first}{named}.safetensors"


def _check_command(datasets: "Sequence[str]", file: FileOptions) -> str:
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
        ("--label-map", None if file.label_map is None else file.label_map.name, None),
    ]
    given = [part for name, value, usual in options if value != usual for part in (name, str(value))]
    given += [] if file.header else ["--no-header"]
    return shlex.join(["embedclf", "check", *datasets, *given])
