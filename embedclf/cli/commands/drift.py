"""``embedclf drift``."""

from typing import TYPE_CHECKING, Any

import click

from embedclf.cli import completers
from embedclf.cli.file_options import read_texts
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.training_options import EmbeddingOptions, embedding_options, seed_option
from embedclf.printing.tables import add_lines

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.exploration.drift_result import Drift

_ADDED: dict[str, type] = {"newness": float, "group": str}


@click.command(
    "drift",
    cls=Command,
    page="drift.md",
    examples=[
        "embedclf drift june.csv --against may.csv",
        "embedclf drift june.csv --against tickets.csv -m models/tickets.safetensors --report drift.html",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option("--against", metavar="FILE", required=True, help="The old texts, such as those a model was trained on.")
@click.option(
    "-m",
    "--model",
    metavar="FILE",
    shell_complete=completers.models,
    help="Also compare the answers of this model; its embedder is used.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows with the newness and the group of each to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@report_option
@page_options
@embedding_options
@seed_option
@file_job("optional", what="the file", writes_tables=True)
def command(
    job: Job,
    against: str,
    model: str | None,
    output: str | None,
    report: str | None,
    about: PageOptions,
    seed: int,
    embedding: EmbeddingOptions,
) -> None:
    """Find out whether the texts of FILE differ from older ones.

    A classifier learns to tell new texts from old ones; if it cannot, they have not changed as a whole. A second test
    finds kinds of text that have become more or less common, even rare ones. Random halves of a file are called changed
    at most 5 % of the time. Several files with the same columns are compared as one. The exit code is 0 whatever the
    verdict.
    """
    from pathlib import Path

    from embedclf.cli.pages import facts_of_file, facts_of_model, places_in
    from embedclf.data.atomic_file import STDIN
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.exploration.drift import drift
    from embedclf.pages.drifted import drift_page
    from embedclf.printing.drifted import drift_lines

    if against == STDIN and STDIN in job.datasets:
        raise click.UsageError("FILE and --against cannot both be standard input.")
    job.check_places({"--against": against, "the model": model}, output=output, report=report)
    classifier = None if model is None else _load(job, model, embedding)
    job.read()
    old = read_texts(against, job.file)
    if classifier is None:
        job.open(embedding)
    if job.is_dry(old.texts):
        return
    page, writer = job.page(report, about), job.writer(output, _ADDED)
    vectors, old, of_old = job.embed_with(old)
    new, old_texts = (
        EmbeddedTexts(one.texts, _labels(one), embedder=job.embedder, vectors=own)
        for one, own in ((job.corpus, vectors), (old, of_old))
    )
    result = drift(new, old_texts, model=classifier, seed=seed)
    if writer is not None:
        for place, row in enumerate(job.corpus.rows):
            group = result.group_of[place]
            name = None if group is None else result.groups[group].name
            writer.write(row, [result.newness[place] if result.newness else None, name])
    job.end_writing(output, len(job.corpus.rows))
    facts = {"new": facts_of_file(job.corpus), "old": facts_of_file(old)}
    if classifier is not None and model is not None:
        facts["model"] = facts_of_model(model, classifier)
    facts["embedder"] = job.embedder.spec.described
    title = f"{job.name} against {Path(old.name).name}"
    page.write(drift_page, result, title, places_in(job.corpus), places_in(old), **facts)
    if job.as_json:
        job.print_json(_record(result, job.corpus, old))
    else:
        job.print_lines(drift_lines(result, job.corpus, old, "--json has all"))


def _load(job: Job, path: str, embedding: EmbeddingOptions) -> "TextClassifier":
    if embedding.given:
        raise click.UsageError(f"{embedding.given[0]} cannot be used with --model, whose embedder makes the vectors.")
    return job.load(path, embedding.embedder)


def _labels(corpus: "Corpus") -> Any:
    """Return the labels of a file, or None if it has none."""
    return corpus.given_labels if any(corpus.given_labels) else None


def _record(result: "Drift", new: "Corpus", old: "Corpus") -> dict[str, Any]:
    """Return a result as plain types for JSON, with the lines of all rows that are shown."""
    shown = result.to_dict()
    for group in shown["groups"]:
        add_lines(group["texts"], new if group["more_in"] == "new" else old)
    add_lines(shown["typical"], new)
    for one in shown["typical"]:
        one["nearest_line"] = old.lines[one["nearest_row"]]
    return shown
