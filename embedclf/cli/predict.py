"""``embedclf predict``."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from embedclf.cli.models import load_model
from embedclf.cli.options import cache_of, embedder_options, file_options, model_option
from embedclf.errors import RowFault, counted, list_faults

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.corpus import Row

_CHUNK = 4_096


class _Answer(NamedTuple):
    """What is said about one row; without a label and `top`, if it could not be labelled."""

    row: "Row"
    label: str | None
    confidence: float | None
    top: list[tuple[str, float]]


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_option
@click.option("--input", "input_file", metavar="FILE", help="A file with a column of texts; - is the standard input.")
@click.option("--output", metavar="FILE", help="Write the rows with their labels to a .csv, .tsv or .jsonl file.")
@click.option("--top-k", metavar="N", type=click.IntRange(min=1), help="Give the N likeliest labels.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON a text.")
@file_options(labelled=False)
@embedder_options
def command(
    texts: tuple[str, ...],
    model: str | None,
    input_file: str | None,
    output: str | None,
    top_k: int | None,
    as_json: bool,
    text_column: str,
    delimiter: str | None,
    encoding: str,
    base_url: str | None,
    allow_http: bool,
    cache_dir: str | None,
    no_cache: bool,
) -> None:
    """Label texts with a trained classifier.

    Give each TEXT in quotes, a single - to read one text a line from the standard input, or a file with --input. A
    line is printed for each, the label and its confidence with a tab between, in the order of the texts. A text that
    cannot be labelled does not stop the others; the exit code is then 1.
    """
    if bool(texts) == bool(input_file):
        raise click.UsageError("Give either texts or --input FILE." if texts else "Give a text, a -, or --input FILE.")
    if "-" in texts and len(texts) > 1:
        raise click.UsageError("A - reads the texts from the standard input, and stands alone.")
    if as_json and output:
        raise click.UsageError("--json is for the screen; for a file of JSON lines, name the --output *.jsonl.")
    from embedclf.corpus import CorpusReader, CorpusWriter, Row, read_lines
    from embedclf.texts import text_fault

    cache = cache_of(cache_dir, no_cache)
    classifier = load_model(model, cache=cache, base_url=base_url, allow_http=allow_http)
    with ExitStack() as stack:
        rows: Iterable[Row]
        columns, name, bom = ["text"], "text", False
        if input_file is not None:
            reader = stack.enter_context(
                CorpusReader(
                    input_file, text_column=text_column, label_column=None, delimiter=delimiter, encoding=encoding
                )
            )
            rows, columns, name, bom = reader, reader.columns, reader.name, reader.has_bom
        elif texts == ("-",):
            rows, name = read_lines(encoding), "stdin"
        else:
            rows = (Row(number, {"text": text}, text, "", text_fault(text)) for number, text in enumerate(texts, 1))
        writer = None
        if output is not None:
            added = ["predicted_label", "confidence", *_top_columns(classifier, top_k), "error"]
            writer = stack.enter_context(CorpusWriter(output, columns, added, delimiter=delimiter, bom=bom))
        faults: list[RowFault] = []
        n_rows = 0
        for answer in _answers(classifier, rows, top_k or 1):
            n_rows += 1
            if answer.row.fault is not None:
                faults.append(RowFault(answer.row.line, answer.row.fault))
            if writer is not None:
                others: list[Any] = [value for pair in answer.top[1:] for value in pair] or [None] * (len(added) - 3)
                writer.write(answer.row, [answer.label, answer.confidence, *others, answer.row.fault])
            else:
                click.echo(_json(answer, top_k) if as_json else _plain(answer), nl=not as_json)
    if output is not None:
        click.echo(f"Wrote {counted(n_rows, 'row')} to {output}", err=True)
    if faults:
        raise click.ClickException(
            f"{len(faults):,} of {counted(n_rows, 'text')} could not be labelled:\n{list_faults(name, faults)}"
        )


def _answers(classifier: "TextClassifier", rows: "Iterable[Row]", top_k: int) -> Iterator[_Answer]:
    import numpy as np

    rows = iter(rows)
    while chunk := list(islice(rows, _CHUNK)):
        probabilities = classifier.predict_proba([row.text for row in chunk if row.fault is None])
        labels = iter(classifier.decide(probabilities))
        # A stable sort: of equals, the first in `classes` leads, as it does in the label.
        best = iter(np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k])
        each = iter(probabilities)
        for row in chunk:
            if row.fault is not None:
                yield _Answer(row, None, None, [])
                continue
            of_row = next(each)
            top = [(classifier.classes[index], float(of_row[index])) for index in next(best)]
            yield _Answer(row, next(labels), top[0][1], top)


def _top_columns(classifier: "TextClassifier", top_k: int | None) -> list[str]:
    places = range(2, min(top_k or 1, len(classifier.classes)) + 1)
    return [name for place in places for name in (f"top_{place}_label", f"top_{place}_confidence")]


def _plain(answer: _Answer) -> str:
    if answer.row.fault is not None:
        return "-\t-"
    first, *others = answer.top
    pairs = [(answer.label or "-", first[1]), *others]
    return "\t".join(f"{_in_one_line(label)}\t{confidence:.4f}" for label, confidence in pairs)


def _in_one_line(label: str) -> str:
    """Write control characters as escapes: a label may hold a tab, a line break or a terminal's command."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in label)


def _json(answer: _Answer, top_k: int | None) -> bytes:
    from embedclf.corpus import json_line

    record: dict[str, Any] = {
        "text": answer.row.text,
        "label": answer.label,
        "confidence": None if answer.confidence is None else round(answer.confidence, 6),
    }
    if top_k is not None:
        record["top"] = [{"label": label, "confidence": round(confidence, 6)} for label, confidence in answer.top]
    if answer.row.fault is not None:
        record["error"] = answer.row.fault
    return json_line(record)
