"""``embedclf evaluate``."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

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
    report_option,
    train_set_option,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import (
    in_one_line,
    nearby,
    percent,
    shortened,
    shown_label,
    shown_word,
    table,
    weighed,
    with_interval,
)
from embedclf.formatting import counted, rounded_down, shown_confidence, shown_threshold

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.evaluation.report import Report, WrongRow


_N_WRONG_SHOWN = 5
_N_UNKNOWN_SHOWN = 5
_OF_NEAREST: dict[str, type] = {"line": int, "text": str, "label": str, "similarity": float}
_THRESHOLDS_SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@click.command("evaluate")
@click.argument("dataset")
@model_option
@embedder_again_option
@click.option(
    "--errors",
    metavar="FILE",
    help="Write the rows that it gets wrong to a .csv, .tsv, .jsonl or .parquet file, surest first.",
)
@report_option
@train_set_option
@min_confidence_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("needed")
@embedder_options
def command(
    dataset: str,
    model: str | None,
    embedder: str | None,
    errors: str | None,
    report: str | None,
    train_set: str | None,
    min_confidence: float | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Measure a classifier on DATASET, a file of labelled texts.

    DATASET is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is the standard
    input. It should hold no text that the classifier was trained on.
    """
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import add_lines, embed_corpora, print_estimate, show_usage
    from embedclf.cli.models import find_model
    from embedclf.cli.pages import PageFile, places_in
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import check_places
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.evaluation.measuring import check_labels, evaluate
    from embedclf.pages.reports import evaluation_page

    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar())
        model = find_model(model)
        check_places(
            {"the dataset": dataset, "--train-set": train_set, "the model": model},
            {"--errors": errors, "--report": report},
        )
        classifier = load(model, embedder=embedder, **asked.settings(bar.on_event))
        if min_confidence is not None:
            classifier = classifier.with_min_confidence(min_confidence)
        corpus = read_texts(dataset, file)
        check_labels(classifier, corpus.labels)
        corpora = [corpus, *([] if train_set is None else [read_texts(train_set, file)])]
        if asked.dry_run:
            print_estimate(classifier.embedder, [text for one in corpora for text in one.texts], as_json=as_json)
            return
        page = PageFile(report)
        # Whether it can be written is found out before the work, not after.
        writer = None if errors is None else stack.enter_context(_errors_writer(errors, train_set is not None))
        try:
            embedded = embed_corpora(classifier.embedder, corpora, skip_bad_rows=file.skip_bad_rows)
        finally:
            bar.end()
            show_usage(classifier.embedder)
        (corpus, vectors), trained_on, examples = embedded[0], None, None
        if train_set is not None:
            trained_on, of_train_set = embedded[1]
            _warn_of_leakage(corpus, trained_on)
            examples = EmbeddedTexts(
                trained_on.texts, trained_on.labels, embedder=classifier.embedder, vectors=of_train_set
            )
        result = evaluate(classifier, corpus.texts, corpus.labels, vectors=vectors, train_set=examples)
        if writer is not None:
            _write_errors(writer, result, corpus, trained_on)
    if errors is not None:
        echo(f"Wrote {counted(len(result.wrong), 'row')} to {errors}", err=True)
    page.write(
        evaluation_page,
        result,
        f"{in_one_line(str(classifier.card.embedder))} on {Path(corpus.name).name}",
        places_in(corpus),
        places_in(trained_on),
    )
    _warn_of_unknown(result)
    if as_json:
        shown = {**result.to_dict(), "usage": classifier.embedder.usage.to_dict()}
        add_lines(shown["wrong"], corpus)
        if trained_on is not None:
            add_lines((near for wrong in shown["wrong"] for near in wrong["neighbours"]), trained_on)
        echo_json(shown)
    else:
        echo("\n".join([*figures(result), *_words(result), *_wrong_rows(result, corpus, trained_on, errors)]))


def _warn_of_leakage(corpus: "Corpus", trained_on: "Corpus") -> None:
    seen = set(trained_on.texts)
    if n := sum(text in seen for text in corpus.texts):
        echo(
            f"Warning: {counted(n, 'row')} of {corpus.name} can be found in {trained_on.name}: the classifier has seen "
            "them, so the figures are too good",
            err=True,
        )


def _warn_of_unknown(report: "Report") -> None:
    ordered = sorted(report.unknown_labels.items(), key=lambda pair: -pair[1])
    unknown = [(f"the label '{shown_label(name)}'", count) for name, count in ordered[:_N_UNKNOWN_SHOWN]]
    if others := ordered[_N_UNKNOWN_SHOWN:]:
        unknown.append((f"{counted(len(others), 'more label')}", sum(n for _, n in others)))
    for what, count in unknown:
        echo(f"Warning: the model does not know {what}: {counted(count, 'row')} counted as wrong", err=True)


def _errors_writer(path: str, with_neighbours: bool) -> "CorpusWriter":
    from embedclf.data.writer import CorpusWriter
    from embedclf.evaluation.neighbourhood import N_NEAREST

    added: dict[str, type] = {"predicted_label": str, "confidence": float}
    if with_neighbours:
        for place in range(1, N_NEAREST + 1):
            added |= {f"nearest_{place}_{part}": kind for part, kind in _OF_NEAREST.items()}
    return CorpusWriter(path, ["line", "text", "label"], added)


def _write_errors(writer: "CorpusWriter", report: "Report", corpus: "Corpus", trained_on: "Corpus | None") -> None:
    from embedclf.evaluation.neighbourhood import N_NEAREST

    for wrong in report.wrong:
        near: list[str | float | None] = []
        if trained_on is not None:
            for one in wrong.neighbours:
                near += [trained_on.lines[one.row], one.text, one.label, one.similarity]
            # A train set may have fewer.
            near += [None] * (len(_OF_NEAREST) * N_NEAREST - len(near))
        writer.write(corpus.row(wrong.row), [wrong.predicted, rounded_down(wrong.confidence), *near])


def figures(report: "Report") -> list[str]:
    """Write all figures of a report but its wrong rows, as lines."""
    n_known = report.n_examples - sum(report.unknown_labels.values())
    of_known = (
        f"  (of the {counted(n_known, 'row')} with a label that the model knows)" if report.unknown_labels else ""
    )
    lines = [
        f"rows               {report.n_examples:,}",
        f"accuracy           {with_interval(report.accuracy, report.accuracy_interval)}",
        f"macro-F1           {with_interval(report.macro_f1, report.macro_f1_interval)}",
        f"weighted F1        {report.weighted_f1:.3f}",
        f"log loss           {report.log_loss:.3f}{of_known}",
        f"calibration error  {report.ece:.3f}",
    ]
    if outside := report.out_of_scope:
        lines += [
            "",
            f"out of scope       {counted(outside.n_examples, 'row')}",
            f"  rejected         {percent(outside.recall)}",
            f"  AUROC            {outside.auroc:.3f}",
            f"  in-scope rows answered right  {percent(outside.in_scope_accuracy)}",
        ]
    lines += ["", *_by_class(report)]
    if report.confusions:
        lines += ["", "Most frequent confusions:", *_confusions(report)]
    return [*lines, "", *_reliability(report), "", *_coverage(report)]


def _by_class(report: "Report") -> list[str]:
    rows = [
        [shown_label(name), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        for name, one in report.per_class.items()
    ]
    return table(["label", "precision", "recall", "F1", "rows"], rows)


def _confusions(report: "Report") -> list[str]:
    rows = [[f"{one.n_texts:,}", shown_label(one.label), shown_label(one.predicted)] for one in report.confusions]
    return table(["rows", "label", "taken for"], rows, left=(1, 2))


def _reliability(report: "Report") -> list[str]:
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", f"{one.n_examples:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]
        for one in report.reliability
    ]
    return table(["confidence", "rows", "mean confidence", "accuracy"], rows)


def _coverage(report: "Report") -> list[str]:
    shown = {*_THRESHOLDS_SHOWN, report.threshold}
    rows = [
        [
            shown_threshold(one.threshold),
            percent(one.coverage),
            f"{round(one.coverage * report.n_examples):,}",
            percent(one.accuracy),
            "it abstains below this" if one.threshold and one.threshold == report.threshold else "",
        ]
        for one in report.coverage
        if one.threshold in shown
    ]
    return table(["confidence at least", "answered", "rows", "of these right", ""], rows, left=(0, 4))


def _words(report: "Report") -> list[str]:
    if not report.words_by_label:
        return []
    rows = [
        [shown_label(label), ", ".join(shown_word(one.word) for one in words)]
        for label, words in report.words_by_label.items()
    ]
    return ["", *table(["label", "words that speak most for it"], rows, left=(0, 1))]


def _wrong_rows(report: "Report", corpus: "Corpus", trained_on: "Corpus | None", errors: str | None) -> list[str]:
    from embedclf.classifier.explanation import by_word

    if not report.wrong:
        return []
    title = f"{counted(len(report.wrong), 'row')} {'is' if len(report.wrong) == 1 else 'are'} wrong"
    if report.out_of_scope is not None and report.out_of_scope.n_answered:
        title += f", {report.out_of_scope.n_answered:,} of them out of scope"
    lines = ["", f"{title}; the surest, which are the likeliest to be labelled wrong:"]
    for wrong in report.wrong[:_N_WRONG_SHOWN]:
        lines += [f"  {corpus.place(wrong.row)}  {_mistake(wrong)}", f"    {shortened(wrong.text)}"]
        if words := weighed(by_word(wrong.text, wrong.spans)):
            lines.append(f"      words: {words}")
        if trained_on is not None:
            lines += [f"      {nearby(one, trained_on)}" for one in wrong.neighbours]
    if errors is None and len(report.wrong) > _N_WRONG_SHOWN:
        lines.append("--errors FILE writes them all.")
    return lines


def _mistake(wrong: "WrongRow") -> str:
    return (
        f"{shown_label(wrong.label)}, taken for {shown_label(wrong.predicted)} ({shown_confidence(wrong.confidence)})"
    )
