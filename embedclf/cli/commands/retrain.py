"""``embedclf retrain``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli import completers
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.models import LATEST
from embedclf.cli.options import collected
from embedclf.cli.training_options import PROMPT_HELP, TASK_HELP, WEIGHT_HELP, EmbeddingOptions, TaskName

if TYPE_CHECKING:
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
@collected(
    "embedding",
    EmbeddingOptions,
    {
        "embedder": click.option(
            "--embedder",
            metavar="PROVIDER:MODEL",
            shell_complete=completers.embedders,
            help="New embedding model; see embedclf embedders.  [default: that of MODEL]",
        ),
        "dimensions": click.option(
            "--dimensions",
            metavar="N",
            type=click.IntRange(min=1),
            help="Embedding dimensions.  [default: the embedding model's]",
        ),
        "task": click.option(
            "--task",
            metavar="TASK",
            type=TaskName(),
            help=f"{TASK_HELP}.  [default: as MODEL, if the new embedder takes it]",
        ),
        "prompt": click.option(
            "--prompt",
            metavar="TEXT",
            help=f"{PROMPT_HELP}.  [default: as MODEL, if the new embedder takes one; '' for none]",
        ),
    },
)
@click.option(
    "--weight-column",
    metavar="NAME",
    help=f"{WEIGHT_HELP}  [default: that of MODEL, if it had one]",
)
@file_job("needed", as_model=True)
def command(
    job: Job, model: str, output: str | None, force: bool, embedding: EmbeddingOptions, weight_column: str | None
) -> None:
    """Retrain MODEL with another embedder, or on more rows, and compare both on the same held-out rows.

    Settings and rows are those that MODEL was trained with, as its file records them. Rows that have changed are used
    only if their file is named with --train-set. If the old embedder is gone, its vectors come from the cache.
    """
    from embedclf.classifier.model_file import check_model_name
    from embedclf.cli.file_options import read_unsaid
    from embedclf.cli.notices import say_mapped
    from embedclf.cli.retraining import check_labels, find_old_rows, introduce_retraining, retrain_on
    from embedclf.data.atomic_file import check_places
    from embedclf.evaluation.retraining_plan import plan_retraining

    job.share_vectors()
    plan = plan_retraining(model, embedding.embedder, **embedding.asked, **job.asked.settings())
    asked = job.file
    job.file, job.embedder = asked.as_recorded(plan.card), plan.embedders.new
    if job.datasets:
        files, job.file = job.datasets, job.file.for_several(plan.card)
        job.corpus = read_unsaid(files, job.file, alike=False)
    else:
        files = () if plan.record is None else plan.record.files
        job.corpus = find_old_rows(plan, job.file)
    say_mapped(job.corpus)
    corpus = job.corpus
    check_labels(plan, corpus, asked)
    place = (
        Path(output) if output is not None else _usual_place(Path(model), plan, sized=embedding.dimensions is not None)
    )
    for name in job.datasets or corpus.files or (corpus.name,):
        check_places({"the train set": name}, {"the record of the latest model,": LATEST, "-o": place})
    check_model_name(place)
    introduce_retraining(plan, job)
    retrain_on(job, plan, files, place, force=force, weight_column=weight_column or plan.weight_column)


def _usual_place(model: Path, plan: "Plan", *, sized: bool) -> Path:
    """Return where the new model is saved: beside the old one, named after its embedder, or in its place.

    It takes the place of a model with the same embedder only.
    """
    if plan.embedders.is_same:
        return model
    old, name = plan.card.embedder, model.stem
    for ending in (f"-{_slug(old)}", f"-{_slug(old)}-{old.dimensions}"):
        name = name.removesuffix(ending)
    size = f"-{plan.embedders.new.spec.dimensions}" if sized else ""
    return model.with_name(f"{name}-{_slug(plan.embedders.new.spec)}{size}.safetensors")


def _slug(spec: "EmbedderSpec") -> str:
    """Return the name of an embedding model as a part of a file name: ``BAAI/bge-m3`` is ``bge-m3``."""
    return re.sub(r"[^\w.-]+", "-", spec.model.rstrip("/").rpartition("/")[-1]).strip("-.") or spec.provider
