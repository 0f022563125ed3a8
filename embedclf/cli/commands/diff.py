"""``embedclf diff``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli import completers
from embedclf.cli.gate_options import add_summary, check_summary, margin_option, summary_option
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.options import PageOptions, costs_option, embedder_again_option, page_options, report_option
from embedclf.formatting import rounded_down

if TYPE_CHECKING:
    from collections.abc import Collection

    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.evaluation.model_diff import ModelDiff

_REST = "Write all of them with -o FILE, or show them with --report FILE."


@click.command(
    "diff",
    cls=Command,
    page="comparing-models.md",
    examples=[
        "embedclf diff models/may.safetensors models/june.safetensors tickets_test.csv",
        "embedclf diff models/may.safetensors models/june.safetensors tickets_test.csv -o changed.csv",
    ],
)
@click.argument("old", metavar="OLD", shell_complete=completers.models)
@click.argument("new", metavar="NEW", shell_complete=completers.models)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows whose answer differs to a .csv, .tsv, .jsonl, .parquet or .xlsx file.",
)
@margin_option
@summary_option
@report_option
@page_options
@embedder_again_option
@costs_option
@file_job("needed", writes_tables=True)
def command(
    job: Job,
    old: str,
    new: str,
    output: str | None,
    margin: float,
    summary: str | None,
    report: str | None,
    about: PageOptions,
    embedder: str | None,
    costs: str | None,
) -> None:
    """Compare the classifiers OLD and NEW on FILE, and say which is better.

    FILE has labelled texts that neither was trained on. Both classify the same rows, so differences are paired. The
    verdict is better, worse, no difference that matters (the whole 95 % interval is within --margin), or cannot tell
    with so few rows.
    """
    from embedclf.classifier.label_files import read_costs
    from embedclf.cli.pages import facts_of_file, facts_of_model, places_in
    from embedclf.cli.several_labels import check_known, warn_of_missing_columns
    from embedclf.cli.two_models import (
        check_cost,
        embed_new,
        is_dry,
        load_with,
        vectors_of_old,
        warn_of_training_rows,
    )
    from embedclf.data.label_sets import LABEL_SEPARATOR
    from embedclf.evaluation.diffing import check_pair, diff_of_vectors, with_known_costs
    from embedclf.evaluation.measuring import check_labels
    from embedclf.pages.diffs import diff_page
    from embedclf.printing.diffs import diff_lines
    from embedclf.printing.markdown import diff_markdown

    inputs = {"--costs": costs, "the old model": old, "the new model": new}
    job.check_places(inputs, output=output, report=report, summary=summary)
    job.share_vectors()
    before, after = (load_with(job, path, embedder) for path in (old, new))
    check_pair(before, after)
    job.file, job.embedder = job.file.as_trained(after), after.embedder
    corpus = job.read()
    classes = tuple(sorted({*before.classes, *after.classes}))
    check_known(corpus, classes, after.card.hierarchy)
    for classifier in (before, after):
        check_labels(classifier, corpus.given_labels)
    warn_of_missing_columns(corpus, classes)
    priced = None
    if costs is not None:
        priced = read_costs(costs, classes, after.card.out_of_scope_label or before.card.out_of_scope_label)
        for classifier in (before, after):
            with_known_costs(classifier, priced)  # is refused before anything is paid for
    if is_dry(job, before, after):
        return
    for path, classifier, which in ((old, before, "old"), (new, after, "new")):
        warn_of_training_rows(job, path, classifier, which)
    added = _added(before, after)
    page, writer = job.page(report, about), job.writer(output, added, corpus.row_columns)
    check_summary(summary)
    check_cost(job, before, after)
    others, vectors = vectors_of_old(job, old, embedder, before, after, embed_new(job, after))
    corpus = job.corpus
    result = diff_of_vectors((before, after), corpus.texts, corpus.given_labels, (others, vectors), priced, margin)
    if writer is not None:
        rules = after.card.multilabel
        _write(writer, result, corpus, LABEL_SEPARATOR if rules is None else rules.separator, added)
    job.end_writing(output, len(result.changed))
    facts = {
        "old model": facts_of_model(old, before),
        "new model": facts_of_model(new, after),
        "data": facts_of_file(corpus),
    }
    title = f"{Path(old).name} and {Path(new).name} on {job.name}"
    page.write(diff_page, result, title, places_in(corpus), **facts)
    if summary is not None:
        add_summary(summary, diff_markdown(result, title))
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["changed"])
    else:
        job.print_lines(diff_lines(result, corpus, "" if output is not None else _REST))


def _added(*classifiers: "TextClassifier") -> dict[str, type]:
    """Return the columns of the output beside those of the rows; whether a text is answered only if it may not be."""
    from embedclf.classifier.decisions import Decision

    added: dict[str, type] = {"old_label": str, "old_confidence": float, "new_label": str, "new_confidence": float}
    if any(isinstance(one.decision, Decision) and one.decision.abstains for one in classifiers):
        added |= {"old_answered": str, "new_answered": str}
    return {**added, "change": str}


def _write(
    writer: "CorpusWriter", result: "ModelDiff", corpus: "Corpus", separator: str, added: "Collection[str]"
) -> None:
    """Write the rows with another answer; the labels of an answer are written as those of the file are."""
    from embedclf.data.label_sets import labels_cell

    for one in result.changed:
        answers: list[str | float] = []
        for answer, confidence in ((one.old, one.old_confidence), (one.new, one.new_confidence)):
            cell = answer if answer is None or isinstance(answer, str) else labels_cell(answer, separator)
            answers += [cell or "", rounded_down(confidence)]
        if "old_answered" in added:
            answers += ["yes" if answered else "no" for answered in (one.old_answered, one.new_answered)]
        writer.write(corpus.row(one.row), [*answers, one.change])
