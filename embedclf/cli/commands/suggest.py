"""``embedclf suggest``."""

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.options import (
    EmbedderOptions,
    FileOptions,
    embedder_again_option,
    embedder_options,
    file_options,
    model_option,
    read_texts,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import shortened, shown_label
from embedclf.errors import DataError
from embedclf.formatting import counted, rounded_down, shown_confidence

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.exploration.suggestions import Suggestion, Suggestions


@click.command("suggest")
@click.argument("unlabelled")
@model_option
@embedder_again_option
@click.option(
    "-n", "n", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="How many to suggest."
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write the rows, with a label to fill in, to a .csv, .tsv, .jsonl or .parquet file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
@embedder_options
def command(
    unlabelled: str,
    model: str | None,
    embedder: str | None,
    n: int,
    output: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Choose which rows of UNLABELLED to label next.

    UNLABELLED is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts; - is the standard input. Rows that
    have a label already are left out. Those are suggested of which the classifier is least sure, and that stand for
    most others like them, no two nearly the same; they are listed in the order in which to label them.
    """
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import add_lines, embed_corpus, print_estimate, show_usage
    from embedclf.cli.models import find_model
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import check_places
    from embedclf.exploration.suggestions import suggest

    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar())
        model = find_model(model)
        check_places({"the file": unlabelled, "the model": model}, {"--output": output})
        classifier = load(model, embedder=embedder, **asked.settings(bar.on_event))
        corpus = read_texts(unlabelled, file)
        corpus, n_labelled = _without_labelled(corpus)
        if asked.dry_run:
            print_estimate(classifier.embedder, corpus.texts, as_json=as_json)
            return
        # Whether it can be written is found out before the work, not after.
        writer = None if output is None else stack.enter_context(_writer(output, corpus, file))
        try:
            corpus, vectors = embed_corpus(classifier.embedder, corpus, skip_bad_rows=file.skip_bad_rows)
        finally:
            bar.end()
            show_usage(classifier.embedder)
        result = suggest(classifier, corpus.texts, n, vectors=vectors)
        if writer is not None:
            _write(writer, result, corpus, file)
    if output is not None:
        echo(f"Wrote {counted(len(result.rows), 'row')} to {output}", err=True)
    if len(result.rows) < min(n, result.n_texts):
        others = counted(result.n_texts - len(result.rows), "row")
        echo(f"No more to suggest: near-copies of these are left out ({others})", err=True)
    if as_json:
        shown = {"n_labelled": n_labelled, **result.to_dict(), "usage": classifier.embedder.usage.to_dict()}
        add_lines(shown["rows"], corpus)
        for row in shown["rows"]:
            del row["row"]  # it counts the rows without a label, which are no file
        echo_json(shown)
    else:
        echo("\n".join(_listed(result, corpus)))


def _without_labelled(corpus: "Corpus") -> tuple["Corpus", int]:
    rows = [row for row in corpus.rows if not row.label]
    n_labelled = len(corpus.rows) - len(rows)
    if not rows:
        raise DataError(
            f"{corpus.name}: all its rows ({n_labelled:,}) have a label already, so there is none to suggest",
            source=corpus.name,
        )
    if n_labelled:
        echo(f"Left out {counted(n_labelled, 'row')} with a label", err=True)
    return replace(corpus, rows=rows), n_labelled


def _writer(path: str, corpus: "Corpus", file: FileOptions) -> "CorpusWriter":
    from embedclf.data.writer import CorpusWriter

    label = {} if file.label_column in corpus.columns else {str(file.label_column): str}
    added = {**label, "predicted_label": str, "confidence": float}
    return CorpusWriter(path, corpus.columns, added, delimiter=file.delimiter, bom=corpus.has_bom, schema=corpus.schema)


def _write(writer: "CorpusWriter", result: "Suggestions", corpus: "Corpus", file: FileOptions) -> None:
    has_labels = file.label_column in corpus.columns
    for one in result.rows:
        row = corpus.rows[one.row]
        if has_labels and file.label_column not in row.record:  # JSON lines need not be alike
            row = replace(row, record={**row.record, str(file.label_column): None}, source="")
        label: list[str | None] = [] if has_labels else [None]
        writer.write(row, [*label, one.predicted, rounded_down(one.confidence)])


def _listed(result: "Suggestions", corpus: "Corpus") -> list[str]:
    lines = [f"{counted(len(result.rows), 'row')} to label next, of {result.n_texts:,} without a label:"]
    for one in result.rows:
        lines += [f"  {corpus.place(one.row)}  {_wavering(one)}", f"    {shortened(one.text)}"]
    return lines


def _wavering(one: "Suggestion") -> str:
    return (
        f"{shown_label(one.predicted)} ({shown_confidence(one.confidence)}) or "
        f"{shown_label(one.runner_up)} ({shown_confidence(one.runner_up_confidence)})"
    )
