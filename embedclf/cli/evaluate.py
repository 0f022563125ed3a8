"""``embedclf evaluate``."""

import json
from typing import TYPE_CHECKING

import click

from embedclf.cli.options import (
    EmbedderOptions,
    FileOptions,
    embedder_again_option,
    embedder_options,
    file_options,
    model_option,
    read_labelled,
)
from embedclf.errors import counted

if TYPE_CHECKING:
    from embedclf.evaluation.report import Report


@click.command("evaluate")
@click.argument("dataset")
@model_option
@embedder_again_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options(labelled=True)
@embedder_options
def command(
    dataset: str,
    model: str | None,
    embedder: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Measure a classifier on DATASET, a file of labelled texts.

    DATASET is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is the standard
    input. It should hold no text that the classifier was trained on.
    """
    from embedclf.cli.embedding import ProgressBar, embed_corpus, print_estimate, show_usage, usage_of
    from embedclf.cli.models import load_model
    from embedclf.evaluation.report import check_labels, evaluate

    with ProgressBar() as bar:
        classifier = load_model(model, embedder=embedder, **asked.settings(bar.on_event))
        corpus = read_labelled(dataset, file)
        check_labels(classifier, corpus.labels)
        if asked.dry_run:
            print_estimate(classifier.embedder, corpus.texts, as_json=as_json)
            return
        try:
            corpus, vectors = embed_corpus(classifier.embedder, corpus, skip_bad_rows=file.skip_bad_rows)
        finally:
            bar.end()
            show_usage(classifier.embedder)
    report = evaluate(classifier, corpus.texts, corpus.labels, vectors=vectors)
    for name, count in report.unknown_labels.items():
        click.echo(
            f"Warning: the model does not know the label {name!r}: {counted(count, 'row')} counted as wrong", err=True
        )
    if as_json:
        usage = usage_of(classifier.embedder).to_dict()
        click.echo(json.dumps({**report.to_dict(), "usage": usage}, ensure_ascii=False))
    else:
        click.echo(_table(report))


def _table(report: "Report") -> str:
    width = max(len("label"), *(len(name) for name in report.per_class))
    lines = [
        f"rows               {report.n_examples:,}",
        f"accuracy           {report.accuracy:.3f}",
        f"macro-F1           {report.macro_f1:.3f}",
        f"weighted F1        {report.weighted_f1:.3f}",
        f"log loss           {report.log_loss:.3f}",
        f"calibration error  {report.ece:.3f}",
        "",
        f"{'label':<{width}}  precision  recall     F1     rows",
    ]
    lines += [
        f"{name:<{width}}  {one.precision:9.3f}  {one.recall:6.3f}  {one.f1:5.3f}  {one.support:7,}"
        for name, one in report.per_class.items()
    ]
    return "\n".join(lines)
