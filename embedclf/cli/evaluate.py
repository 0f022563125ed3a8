"""``embedclf evaluate``."""

import json
from typing import TYPE_CHECKING

import click

from embedclf.cli.models import load_model
from embedclf.cli.options import cache_of, embedder_options, file_options, model_option, read_labelled
from embedclf.errors import counted

if TYPE_CHECKING:
    from embedclf.evaluation.report import Report


@click.command("evaluate")
@click.argument("dataset")
@model_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options(labelled=True)
@embedder_options
def command(
    dataset: str,
    model: str | None,
    as_json: bool,
    text_column: str,
    label_column: str,
    delimiter: str | None,
    encoding: str,
    skip_bad_rows: bool,
    base_url: str | None,
    allow_http: bool,
    cache_dir: str | None,
    no_cache: bool,
) -> None:
    """Measure a classifier on DATASET, a file of labelled texts.

    DATASET is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is the standard
    input. It should hold no text that the classifier was trained on.
    """
    from embedclf.evaluation.report import evaluate

    cache = cache_of(cache_dir, no_cache)
    classifier = load_model(model, cache=cache, base_url=base_url, allow_http=allow_http)
    corpus = read_labelled(
        dataset,
        text_column=text_column,
        label_column=label_column,
        delimiter=delimiter,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
    )
    report = evaluate(classifier, corpus.texts, corpus.labels)
    for name, count in report.unknown_labels.items():
        click.echo(
            f"Warning: the model does not know the label {name!r}: {counted(count, 'row')} counted as wrong", err=True
        )
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))
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
