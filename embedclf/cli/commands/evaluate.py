"""``embedclf evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.gate_options import GateOptions, gate_options
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.options import (
    PageOptions,
    costs_option,
    coverage_option,
    embedder_again_option,
    min_confidence_option,
    model_option,
    page_options,
    report_option,
    train_set_option,
)
from embedclf.cli.screen import echo
from embedclf.formatting import counted, rounded_down
from embedclf.printing.tables import add_lines, shown_label

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.evaluation.multilabel_report import MultiLabelReport
    from embedclf.evaluation.report import Report


_N_UNKNOWN_SHOWN = 5
_OF_NEAREST: dict[str, type] = {"line": int, "text": str, "label": str, "similarity": float}


@click.command(
    "evaluate",
    cls=Command,
    page="evaluation.md",
    examples=[
        "embedclf evaluate tickets_test.csv --errors wrong.csv --report evaluation.html",
        "embedclf evaluate tickets_test.csv --fail-under accuracy=0.9 --baseline models/live.safetensors",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@model_option
@embedder_again_option
@click.option(
    "--errors",
    metavar="FILE",
    help="Write misclassified rows to a .csv, .tsv, .jsonl, .parquet or .xlsx file, most confident first.",
)
@report_option
@page_options
@train_set_option
@coverage_option
@min_confidence_option
@costs_option
@gate_options
@file_job("needed", writes_tables=True)
def command(
    job: Job,
    model: str | None,
    embedder: str | None,
    errors: str | None,
    report: str | None,
    about: PageOptions,
    train_set: str | None,
    coverage: float | None,
    min_confidence: float | None,
    costs: str | None,
    gate: GateOptions,
) -> None:
    """Evaluate a classifier on FILE, a file of labelled texts.

    FILE is a CSV, TSV, JSONL, Parquet or Excel file with a column of texts and one of labels; - is standard
    input. Several files with the same columns are read as one. They should contain no texts that the classifier was
    trained on.
    """
    from embedclf.classifier.label_files import read_costs
    from embedclf.cli.file_options import read_texts
    from embedclf.cli.gate import GateCheck
    from embedclf.cli.models import find_model
    from embedclf.cli.pages import facts_of_file, facts_of_model, places_in
    from embedclf.cli.several_labels import check_known, warn_of_missing_columns
    from embedclf.data.label_sets import LABEL_SEPARATOR
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.evaluation.measuring import check_labels, evaluate
    from embedclf.evaluation.multilabel_report import MultiLabelReport
    from embedclf.evaluation.report import Report
    from embedclf.pages.multilabel import multilabel_page
    from embedclf.pages.reports import evaluation_page
    from embedclf.printing.figures import report_lines
    from embedclf.printing.gates import gate_lines
    from embedclf.printing.multilabel import multilabel_report_lines

    model = find_model(model)
    job.check_places(
        {"--train-set": train_set, "--costs": costs, "the model": model, "--baseline": gate.baseline},
        errors=errors,
        report=report,
        junit=gate.junit,
        summary=gate.summary,
    )
    if gate.baseline is not None:
        job.share_vectors()
    classifier = job.load(model, embedder, min_confidence)
    if coverage is not None:
        classifier.card.set_threshold(coverage)
    corpus = job.read()
    check_known(corpus, classifier.classes, classifier.card.hierarchy)
    check_labels(classifier, corpus.given_labels)
    warn_of_missing_columns(corpus, classifier.classes)
    priced = None if costs is None else read_costs(costs, classifier.classes, classifier.card.out_of_scope_label)
    if priced is not None:
        classifier.with_costs(priced)  # is refused before anything is paid for
    trained_on = None if train_set is None else read_texts(train_set, job.file)
    checked = GateCheck(job, gate, classifier, embedder)
    if checked.is_dry([] if trained_on is None else trained_on.texts):
        return
    checked.check()
    rules = classifier.card.multilabel
    added = _added_to_errors(train_set is not None, several=rules is not None)
    page, writer = job.page(report, about), job.writer(errors, added, corpus.row_columns)
    vectors, trained_on, of_train_set = job.embed_with(trained_on)
    vectors = checked.embed_old(vectors)
    corpus, examples = job.corpus, None
    if trained_on is not None and of_train_set is not None:
        _warn_of_leakage(corpus, trained_on)
        examples = EmbeddedTexts(
            trained_on.texts, trained_on.given_labels, embedder=classifier.embedder, vectors=of_train_set
        )
    result: Report | MultiLabelReport = evaluate(
        classifier,
        corpus.texts,
        corpus.given_labels,
        vectors=vectors,
        train_set=examples,
        coverage=coverage,
        costs=priced,
    )
    if writer is not None:
        _write_errors(writer, result, corpus, trained_on, LABEL_SEPARATOR if rules is None else rules.separator)
    job.end_writing(errors, len(result.wrong))
    facts = {"model": facts_of_model(model, classifier), "data": facts_of_file(corpus)}
    if trained_on is not None:
        facts["trained on"] = facts_of_file(trained_on)
    title = f"Evaluation of {Path(model).name} on {job.name}"
    make_page = multilabel_page if isinstance(result, MultiLabelReport) else evaluation_page
    page.write(make_page, result, title, places_in(corpus), places_in(trained_on), **facts)
    _warn_of_unknown(result, classifier)
    judged = checked.judge(vectors, priced, title) if gate.is_asked else None
    if job.as_json:
        shown = result.to_dict() | ({} if judged is None else {"gate": judged.to_dict()})
        if trained_on is not None:
            add_lines((near for wrong in shown["wrong"] for near in wrong["neighbours"]), trained_on)
        job.print_json(shown, shown["wrong"])
    elif isinstance(result, MultiLabelReport):
        job.print_lines(multilabel_report_lines(result, corpus, trained_on, errors_are_written=errors is not None))
    else:
        job.print_lines(report_lines(result, corpus, trained_on, errors_are_written=errors is not None))
    if judged is not None:
        if not job.as_json:
            job.print_lines(gate_lines(judged, gate.cannot_tell))
        click.get_current_context().exit(gate.exit_code(judged.outcome))


def _warn_of_leakage(corpus: "Corpus", trained_on: "Corpus") -> None:
    seen = set(trained_on.texts)
    if n := sum(text in seen for text in corpus.texts):
        echo(
            f"Warning: {corpus.name} shares {counted(n, 'row')} with {trained_on.name}: the classifier was trained on "
            "them, so the results are too optimistic",
            err=True,
        )


def _warn_of_unknown(report: "Report | MultiLabelReport", classifier: "TextClassifier") -> None:
    from embedclf.classifier.hierarchy import hierarchy_of
    from embedclf.data.reading import as_read

    training = classifier.card.training
    renamed = {} if training is None else as_read(training.reading).get("label_map") or {}
    if old := sorted(report.unknown_labels.keys() & renamed.keys()):
        shown = ", ".join(f"'{shown_label(name)}'" for name in old[:_N_UNKNOWN_SHOWN])
        more = ", …" if len(old) > _N_UNKNOWN_SHOWN else ""
        echo(f"Warning: the model was trained with a label map that renames {shown}{more}: use --label-map", err=True)
    separator = classifier.card.hierarchy
    above = set() if separator is None else set(hierarchy_of(classifier.classes, separator).names)
    ordered = sorted(report.unknown_labels.items(), key=lambda pair: -pair[1])
    if parents := [name for name, _ in ordered if name in above]:
        shown = ", ".join(f"'{shown_label(name)}'" for name in parents[:_N_UNKNOWN_SHOWN])
        n = sum(report.unknown_labels[name] for name in parents)
        more = ", …" if len(parents) > _N_UNKNOWN_SHOWN else ""
        echo(
            f"Warning: the model knows only labels below {shown}{more}: {counted(n, 'row')} counted as wrong, except "
            "in the figures of levels",
            err=True,
        )
    ordered = [pair for pair in ordered if pair[0] not in above]
    unknown = [(f"the label '{shown_label(name)}'", count) for name, count in ordered[:_N_UNKNOWN_SHOWN]]
    if others := ordered[_N_UNKNOWN_SHOWN:]:
        unknown.append((f"{counted(len(others), 'more label')}", sum(n for _, n in others)))
    for what, count in unknown:
        echo(f"Warning: the model does not know {what}: {counted(count, 'row')} counted as wrong", err=True)


def _added_to_errors(with_neighbours: bool, *, several: bool) -> dict[str, type]:
    from embedclf.evaluation.neighbourhood import N_NEAREST

    of_labels = ("predicted_labels", "missing_labels", "extra_labels") if several else ("predicted_label",)
    added: dict[str, type] = {**dict.fromkeys(of_labels, str), "confidence": float}
    if with_neighbours:
        for place in range(1, N_NEAREST + 1):
            added |= {f"nearest_{place}_{part}": kind for part, kind in _OF_NEAREST.items()}
    return added


def _write_errors(
    writer: "CorpusWriter",
    report: "Report | MultiLabelReport",
    corpus: "Corpus",
    trained_on: "Corpus | None",
    separator: str,
) -> None:
    from embedclf.evaluation.neighbourhood import N_NEAREST
    from embedclf.evaluation.report import WrongRow

    for wrong in report.wrong:
        near: list[str | float | None] = []
        if trained_on is not None:
            for one in wrong.neighbours:
                near += [trained_on.lines[one.row], one.text, one.label, one.similarity]
            # A small train set may have fewer neighbours.
            near += [None] * (len(_OF_NEAREST) * N_NEAREST - len(near))
        labels = [wrong.predicted] if isinstance(wrong, WrongRow) else [wrong.predicted, wrong.missing, wrong.extra]
        cells = [one if isinstance(one, str) else separator.join(one) for one in labels]
        writer.write(corpus.row(wrong.row), [*cells, rounded_down(wrong.confidence), *near])
