"""``embedclf retrain``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.classifier.recorded_rows import change
from embedclf.cli import completers
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.models import LATEST, check_replaced, remember_latest
from embedclf.cli.notices import introduce
from embedclf.cli.refused_rows import without_refused
from embedclf.cli.screen import echo, echo_json
from embedclf.embedding.base import WORDS
from embedclf.errors import ArgumentError

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.embedding.base import EmbedderSpec
    from embedclf.evaluation.retraining_plan import Plan


@click.command(
    "retrain",
    cls=Command,
    page="embedders.md#changing-the-embedder",
    examples=[
        "embedclf retrain models/tickets.safetensors --embedder aimlapi:text-embedding-3-large --dry-run",
        "embedclf retrain models/tickets.safetensors --train-set tickets.csv --train-set june.csv",
    ],
)
@click.argument("model", metavar="MODEL", shell_complete=completers.models)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Model file to write.  [default: beside MODEL, named after the new embedder; MODEL if it has the same]",
)
@click.option("--force", is_flag=True, help="Replace a model with another embedder or other labels.")
@click.option(
    "--train-set",
    "dataset",
    metavar="FILE",
    multiple=True,
    help="File to train on; repeated, several are read as one.  [default: that of MODEL, if it has not changed]",
)
@click.option(
    "--embedder",
    metavar="PROVIDER:MODEL",
    shell_complete=completers.embedders,
    help="New embedding model; see embedclf embedders.  [default: that of MODEL]",
)
@click.option(
    "--dimensions", metavar="N", type=click.IntRange(min=1), help="Embedding dimensions.  [default: the model's]"
)
@file_job("needed")
def command(
    job: Job, model: str, output: str | None, force: bool, embedder: str | None, dimensions: int | None
) -> None:
    """Retrain MODEL with another embedder, or on more rows, and compare both on the same held-out rows.

    Settings and rows are those that MODEL was trained with, as its file records them. Rows that have changed are used
    only if their file is named with --train-set. If the old embedder is gone, its vectors come from the cache.
    """
    from embedclf.classifier.model_file import check_model_name
    from embedclf.cli.commands.compare import print_estimates
    from embedclf.cli.costs import tell_usage
    from embedclf.cli.file_options import read_texts
    from embedclf.data.atomic_file import AtomicFile, check_places
    from embedclf.evaluation.retraining_plan import plan_retraining
    from embedclf.printing.retrained import retraining_lines

    plan = plan_retraining(model, embedder, dimensions, **job.asked.settings())
    job.file, job.embedder = job.file.as_recorded(plan.card), plan.new
    if job.datasets:
        files = job.datasets
        job.read()
    else:
        files = () if plan.record is None else plan.record.files
        job.corpus = plan.find_rows(lambda names: read_texts(names, job.file))
    corpus = job.corpus
    if corpus.is_multilabel:
        raise ArgumentError(f"{corpus.name} has several labels a text, but the model gives one")
    place = Path(output) if output is not None else _usual_place(Path(model), plan, sized=dimensions is not None)
    for name in job.datasets or corpus.files or (corpus.name,):
        check_places({"the train set": name}, {"the record of the latest model,": LATEST, "-o": place})
    check_model_name(place)
    _introduce(plan, corpus)
    plan.check(corpus.texts, corpus.labels)
    if job.asked.dry_run:
        print_estimates(
            plan.choices(), plan.texts_with_names(corpus.texts, corpus.labels)[0], job.asked, as_json=job.as_json
        )
        return
    check_replaced(place, set(corpus.labels), force=force, embedder=plan.new.spec)
    AtomicFile(place).discard()  # check before the work starts that it can be written
    plan.check_cost(corpus.texts, corpus.labels)
    try:
        embedded = plan.embed(corpus.texts, corpus.labels)
        if embedded.refused:
            job.corpus, kept = without_refused(corpus, embedded.refused, skip_bad_rows=job.file.skip_bad_rows)
            embedded = embedded[kept]
        texts, labels = job.corpus.texts, job.corpus.labels
        of_old = plan.embed_old(texts, labels)
    finally:
        tell_usage(plan.usage)
    result = plan.train(texts, labels, embedded, of_old)
    classifier = result.classifier.with_files(files, corpus, job.file.recorded)
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        echo_json({"model": str(place), **classifier.to_dict(), **result.to_dict()})
    else:
        saved = f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)"
        job.print_lines([*retraining_lines(result), saved])


def _usual_place(model: Path, plan: "Plan", *, sized: bool) -> Path:
    """Return where the new model is saved: beside the old one, named after its embedder, or in its place.

    It takes the place of a model with the same embedder only.
    """
    if plan.is_same_embedder:
        return model
    name = model.stem.removesuffix(f"-{_slug(plan.card.embedder)}")
    size = f"-{plan.new.spec.dimensions}" if sized else ""
    return model.with_name(f"{name}-{_slug(plan.new.spec)}{size}.safetensors")


def _slug(spec: "EmbedderSpec") -> str:
    """Return the name of an embedding model as a part of a file name: ``BAAI/bge-m3`` is ``bge-m3``."""
    return re.sub(r"[^\w.-]+", "-", spec.model.rstrip("/").rpartition("/")[-1]).strip("-.") or spec.provider


def _introduce(plan: "Plan", corpus: "Corpus") -> None:
    """Print the rows and the embedders, and what has changed."""
    introduce(corpus, plan.new, None)
    if plan.is_same_embedder:
        echo(f"Old model: {plan.name}, with the same embedder", err=True)
    else:
        old = plan.card.embedder
        size = "words only" if old.provider == WORDS else f"{old.dimensions} dimensions"
        echo(f"Old embedder: {old} ({size})", err=True)
        if plan.old is None:
            echo(f"It cannot be opened ({plan.reason}): its vectors can only come from the cache", err=True)
    if plan.record is not None and plan.rows_changed(corpus.texts, corpus.labels):
        echo(f"The rows are not those of {plan.name}: {change(plan.record, len(corpus.texts))}", err=True)
