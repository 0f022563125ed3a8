"""``embedclf predict``."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from embedclf.cli.options import (
    EmbedderOptions,
    FileOptions,
    embedder_again_option,
    embedder_options,
    file_options,
    min_confidence_option,
    model_option,
    read_texts,
    train_set_option,
)
from embedclf.cli.screen import echo, echo_json, echo_styled, wants_colour
from embedclf.cli.tables import coloured, in_one_line, nearby, shown_label, weighed
from embedclf.errors import EmbedclfError, RowFault, list_faults
from embedclf.formatting import counted, rounded_down, shown_confidence

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.decisions import Answer
    from embedclf.classifier.explanation import Explanation
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.corpus import Corpus
    from embedclf.data.rows import Row
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.prediction.predict_files import FilePrediction
    from embedclf.prediction.row_sources import FileRows, TextRows


_MOST_FAULTS = 20


class _Shown(NamedTuple):
    """What is shown of one row: its answer, and why."""

    row: "Row"
    answer: "Answer"
    explanation: "Explanation | None" = None


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_option
@embedder_again_option
@click.option("--input", "input_file", metavar="FILE", help="A file with a column of texts; - is the standard input.")
@click.option("--output", metavar="FILE", help="Write the rows with their labels: .csv, .tsv, .jsonl, .parquet.")
@click.option("--resume", is_flag=True, help="Go on with an --output whose run was broken off, if there is one.")
@click.option(
    "--engine",
    type=click.Choice(["loky", "dask"]),
    help="Label an --output on all cores (loky), or on a cluster of Dask's.  [default: one core]",
)
@click.option("--scheduler", metavar="ADDRESS", help="The cluster's scheduler, tcp://HOST:PORT.")
@click.option("--top-k", metavar="N", type=click.IntRange(min=1), help="Give the N likeliest labels.")
@min_confidence_option
@click.option(
    "--explain",
    is_flag=True,
    help="Show which words speak for the label and against it; with --train-set also the nearest training examples.",
)
@train_set_option
@click.option("--label-column", metavar="NAME", help="Column of the labels in the train set.  [default: label]")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON a text.")
@file_options("none")
@embedder_options
def command(
    texts: tuple[str, ...],
    model: str | None,
    embedder: str | None,
    input_file: str | None,
    output: str | None,
    resume: bool,
    engine: str | None,
    scheduler: str | None,
    top_k: int | None,
    min_confidence: float | None,
    explain: bool,
    train_set: str | None,
    label_column: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Label texts with a trained classifier.

    Give each TEXT in quotes, a single - to read one text a line from the standard input, or a file with --input. A
    line is printed for each, the label (- where the classifier abstains) and its confidence with a tab between, in the
    order of the texts. A text that cannot be labelled does not stop the others; the exit code is then 1.
    """
    if bool(texts) == bool(input_file):
        raise click.UsageError("Give either texts or --input FILE." if texts else "Give a text, a -, or --input FILE.")
    if "-" in texts and len(texts) > 1:
        raise click.UsageError("A - reads the texts from the standard input, and stands alone.")
    if as_json and output:
        raise click.UsageError("--json is for the screen; for a file of JSON lines, name the --output *.jsonl.")
    if resume and output is None:
        raise click.UsageError("--resume goes on with an --output FILE, which is not given.")
    if engine is not None and output is None:
        raise click.UsageError("--engine labels an --output FILE, which is not given.")
    if (engine == "dask") != (scheduler is not None):
        raise click.UsageError("--engine dask and --scheduler ADDRESS go together.")
    if scheduler is not None and "://" not in scheduler:
        raise click.UsageError(f"--scheduler is an address, such as tcp://10.0.0.1:8786, not {scheduler!r}.")
    if engine is not None and asked.max_cost is not None:
        raise click.UsageError("--max-cost cannot be held by several processes, which spend side by side.")
    if train_set is not None and not explain:
        raise click.UsageError("--train-set FILE goes with --explain, which is not given.")
    if label_column is not None and train_set is None:
        raise click.UsageError("--label-column names a column of the --train-set, which is not given.")
    if explain and output:
        raise click.UsageError("--explain is for the screen; --json makes it a line for a program.")
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import embed_corpus, print_estimate, show_usage, tell_usage
    from embedclf.cli.models import find_model
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import check_places
    from embedclf.data.writer import check_output
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.embedding.usage import Progress
    from embedclf.prediction.predict_files import FilePrediction, predict_rows
    from embedclf.prediction.resumable_run import rows_done

    if output is not None:
        check_output(output)
    with ExitStack() as stack:
        # The answers on a terminal are a progress of their own, and a bar would stand among them.
        quiet = output is None and sys.stdout.isatty()
        bar = stack.enter_context(ProgressBar(shown=not quiet))
        model = find_model(model)
        read = {"--input": "-" if texts == ("-",) else input_file, "the model": model, "--train-set": train_set}
        check_places(read, {"--output": output}, in_parts=True)
        classifier = load(model, embedder=embedder, **asked.settings(bar.on_event))
        if min_confidence is not None:
            classifier = classifier.with_min_confidence(min_confidence)
        source = _rows_of(texts, input_file, file)
        stack.enter_context(source)
        labels = "label" if label_column is None else label_column
        labelled = replace(file, label_column=labels, needs_labels=True)
        trained_on = None if train_set is None else read_texts(train_set, labelled)
        also = [] if trained_on is None else trained_on.texts
        # Those are not labelled again.
        done = rows_done(output) if output is not None and resume else 0
        if asked.dry_run:
            print_estimate(classifier.embedder, chain(_usable(islice(source, done, None)), also), as_json=as_json)
            return
        if asked.max_cost is not None:
            left = _usable(islice(source.preview(), done, None))
            classifier.embedder.check_cost(classifier.embedder.estimate(chain(left, also)))

        def on_chunk(done: int, passed: int, share: float | None) -> None:
            bar.next_part(done, passed, share)
            if engine is not None:  # other processes tell nothing of their work
                bar.on_event(Progress(0, 0, 0, 0.0))

        try:
            if output is not None:
                stack.enter_context(_working_on(engine, scheduler))
                of_file = predict_rows(
                    classifier,
                    source,
                    output,
                    top_k=top_k,
                    delimiter=file.delimiter,
                    resume=resume,
                    on_chunk=on_chunk,
                )
                if engine is not None:
                    bar.end()
                    tell_usage(of_file.usage)
            else:
                examples = None
                if trained_on is not None:
                    trained_on, of_train_set = embed_corpus(classifier.embedder, trained_on, skip_bad_rows=False)
                    examples = EmbeddedTexts(
                        trained_on.texts, trained_on.labels, embedder=classifier.embedder, vectors=of_train_set
                    )
                of_file = FilePrediction(0, 0, 0, (), 0.0)
                for shown in _answers(classifier, source, top_k or 1, bar, explain, examples):
                    of_file = _with(of_file, shown.row)
                    if as_json:
                        echo_json(_record(shown, top_k, trained_on))
                    else:
                        _show(shown, trained_on)
        finally:
            bar.end()
            show_usage(classifier.embedder)
    if output is not None:
        before = f", {of_file.rows_before:,} of them before" if of_file.rows_before else ""
        echo(f"Wrote {counted(of_file.rows, 'row')} to {output}{before}", err=True)
    if of_file.n_faults:
        raise click.ClickException(
            f"{of_file.n_faults:,} of {counted(of_file.rows, 'text')} could not be labelled:\n"
            f"{list_faults(source.name, of_file.faults, of_file.n_faults)}"
        )


@contextmanager
def _working_on(engine: str | None, scheduler: str | None) -> Iterator[None]:
    """Tell joblib where to work."""
    if engine is None:
        yield
        return
    from joblib import parallel_config

    from embedclf.parallel.dask_cluster import without_workers

    if scheduler is None:
        with parallel_config(engine, n_jobs=-1):
            yield
        return
    try:
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    except ImportError:
        raise EmbedclfError("--engine dask needs Dask: pip install 'embedclf[dask]'") from None
    # What is lost is told of in one line, and not at length by those whom it was lost to as well.
    for name in ("distributed", "distributed.client", "distributed.gc", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # Of an address that is none, Client makes a half that takes a while to end.
        resolve_address(scheduler)
        client: Any = Client(scheduler, set_as_default=False, timeout=10)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a server of another kind makes it raise
        raise EmbedclfError(f"the scheduler {scheduler} does not answer ({error})") from error
    with client:
        if not client.ncores():
            raise without_workers(scheduler)
        with parallel_config(engine, client=client):
            yield


def _rows_of(texts: tuple[str, ...], input_file: str | None, file: FileOptions) -> "FileRows | TextRows":
    """Return the rows of the command line, of the standard input, or of a file."""
    from embedclf.prediction.row_sources import FileRows, given_texts, stdin_lines

    if input_file is not None:
        return FileRows(input_file, text_column=file.text_column, delimiter=file.delimiter, encoding=file.encoding)
    return stdin_lines(file.encoding) if texts == ("-",) else given_texts(texts)


def _usable(rows: "Iterable[Row]") -> Iterator[str]:
    return (row.text for row in rows if row.fault is None)


def _answers(
    classifier: "TextClassifier",
    source: "FileRows | TextRows",
    top_k: int,
    bar: "ProgressBar",
    explained: bool,
    examples: "EmbeddedTexts | None",
) -> Iterator[_Shown]:
    from embedclf.evaluation.neighbourhood import explain
    from embedclf.prediction.scores import answer_rows, chunks_of, score_vectors, usable_texts

    at_hand = {} if examples is None else dict(zip(examples.texts, examples.vectors, strict=True))
    for chunk in chunks_of(source, classifier.embedder):
        bar.share = source.share_read
        texts = usable_texts(chunk)
        vectors, reasons = _embedded(classifier, texts, at_hand)
        answers = answer_rows(classifier, chunk, score_vectors(classifier, texts, vectors, reasons, top_k))
        if not explained:
            yield from (_Shown(row, answer) for row, answer in answers)
        else:
            sound = [place for place in range(len(texts)) if place not in reasons]
            why = iter(explain(classifier, [texts[place] for place in sound], examples, vectors=vectors[sound]))
            for row, answer in answers:
                yield _Shown(row, answer, next(why) if row.fault is None else None)
        bar.before += len(chunk)


def _with(counts: "FilePrediction", row: "Row") -> "FilePrediction":
    """Count a row, and note its fault if it has one."""
    if row.fault is None:
        return replace(counts, rows=counts.rows + 1)
    faults = (*counts.faults, RowFault(row.line, row.fault))[:_MOST_FAULTS]
    return replace(counts, rows=counts.rows + 1, n_faults=counts.n_faults + 1, faults=faults)


def _embedded(
    classifier: "TextClassifier", texts: list[str], at_hand: "Mapping[str, Vectors]"
) -> "tuple[Vectors, dict[int, str]]":
    """Embed texts as `embed_partial` does, except those whose vectors are at hand, so that none is paid for twice."""
    import numpy as np

    new = [place for place, text in enumerate(texts) if text not in at_hand]
    embed = (classifier if not at_hand else classifier.embedder).embed_partial
    vectors, reasons = embed([texts[place] for place in new])
    if len(new) == len(texts):
        return vectors, reasons
    out = np.full((len(texts), len(next(iter(at_hand.values())))), np.nan, dtype=np.float32)
    if sound := [number for number in range(len(new)) if number not in reasons]:
        out[[new[number] for number in sound]] = vectors[sound]
    for place, text in enumerate(texts):
        if text in at_hand:
            out[place] = at_hand[text]
    return out, {new[number]: reason for number, reason in reasons.items()}


def _show(one: _Shown, trained_on: "Corpus | None") -> None:
    echo(_plain(one.answer))
    if one.explanation is not None:
        _show_why(one.row.text, one.explanation, trained_on)


def _plain(answer: "Answer") -> str:
    if not answer.top:
        return "-\t-"
    first, *others = answer.top
    pairs = [(answer.label or "-", first[1]), *others]
    return "\t".join(f"{in_one_line(label)}\t{shown_confidence(confidence)}" for label, confidence in pairs)


def _show_why(text: str, why: "Explanation", trained_on: "Corpus | None") -> None:
    from embedclf.classifier.explanation import by_word

    second = f"{shown_label(why.runner_up)} ({shown_confidence(why.runner_up_confidence)})"
    echo(f"  {shown_label(why.label)} over {second}")
    if wants_colour():
        echo_styled([("  ", {}), *coloured(text, why.spans)])
    else:
        words = by_word(text, why.spans)
        for side, sign in (("for", 1), ("against", -1)):
            if line := weighed({word: weight for word, weight in words.items() if weight * sign > 0}):
                echo(f"  {f'words {side}':<13}  {line}")
    if why.vector:
        echo(f"  {'vector':<13}  {why.vector:+.2f}")
    if trained_on is not None:
        for side, neighbours in (("for", why.supporting), ("against", why.opposing)):
            for other in neighbours:
                echo(f"  {f'near {side}':<13}  {nearby(other, trained_on)}")


def _record(one: _Shown, top_k: int | None, trained_on: "Corpus | None") -> dict[str, Any]:
    from embedclf.cli.costs import add_lines

    answer = one.answer
    record: dict[str, Any] = {
        "text": one.row.text,
        "label": answer.label,
        "confidence": None if answer.confidence is None else rounded_down(answer.confidence, 6),
    }
    if top_k is not None:
        record["top"] = [
            {"label": label, "confidence": rounded_down(confidence, 6)} for label, confidence in answer.top
        ]
    if one.explanation is not None:
        shown = one.explanation.to_dict()
        shown["runner_up_confidence"] = rounded_down(shown["runner_up_confidence"], 6)
        names = ["runner_up", "runner_up_confidence", "difference", "spans", "vector", "bias"]
        if trained_on is not None:
            add_lines([*shown["for"], *shown["against"]], trained_on)
            names += ["for", "against"]
        record |= {"likeliest": shown["label"], **{name: shown[name] for name in names}}
    if one.row.fault is not None:
        record["error"] = one.row.fault
    return record
