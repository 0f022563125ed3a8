"""Reports and comparisons as lines of text."""

from typing import TYPE_CHECKING

from embedclf.cli.tables import (
    nearby,
    percent,
    shortened,
    shown_label,
    shown_word,
    table,
    weighed,
    with_interval,
)
from embedclf.formatting import counted, shown_confidence, shown_difference, shown_dollars, shown_threshold

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.evaluation.comparison import Compared, Comparison
    from embedclf.evaluation.report import Report, WrongRow


_N_WRONG_SHOWN = 5
_THRESHOLDS_SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def report_lines(
    report: "Report", corpus: "Corpus", trained_on: "Corpus | None", *, errors_are_written: bool
) -> list[str]:
    """Return a report as lines: metrics, strongest words per label, and the most confident errors.

    Parameters
    ----------
    report : Report
    corpus, trained_on : Corpus
        The files that its rows and their neighbours come from.
    errors_are_written : bool
        Whether all misclassified rows are also written to a file.
    """
    return [*_figures(report), *_words(report), *_wrong_rows(report, corpus, trained_on, errors_are_written)]


def _figures(report: "Report") -> list[str]:
    n_known = report.n_examples - sum(report.unknown_labels.values())
    of_known = f"  (over the {counted(n_known, 'row')} whose label the model knows)" if report.unknown_labels else ""
    lines = [
        f"rows               {report.n_examples:,}",
        f"accuracy           {with_interval(report.accuracy, report.accuracy_interval)}",
        f"macro-F1           {with_interval(report.macro_f1, report.macro_f1_interval)}",
        f"weighted F1        {report.weighted_f1:.3f}",
        f"log loss           {report.log_loss:.3f}{of_known}",
        f"calibration error  {report.ece:.3f}  (ECE)",
    ]
    if outside := report.out_of_scope:
        lines += [
            "",
            f"out of scope       {counted(outside.n_examples, 'row')}",
            f"  rejected         {percent(outside.recall)}",
            f"  AUROC            {outside.auroc:.3f}",
            f"  in-scope rows answered correctly  {percent(outside.in_scope_accuracy)}",
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
    return table(["rows", "label", "predicted"], rows, left=(1, 2))


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
            "← model's threshold" if one.threshold and one.threshold == report.threshold else "",
        ]
        for one in report.coverage
        if one.threshold in shown
    ]
    return table(["threshold", "coverage", "rows", "accuracy", ""], rows, left=(0, 4))


def _words(report: "Report") -> list[str]:
    if not report.words_by_label:
        return []
    rows = [
        [shown_label(label), ", ".join(shown_word(one.word) for one in words)]
        for label, words in report.words_by_label.items()
    ]
    return ["", *table(["label", "strongest words"], rows, left=(0, 1))]


def _wrong_rows(report: "Report", corpus: "Corpus", trained_on: "Corpus | None", errors_are_written: bool) -> list[str]:
    from embedclf.classifier.explanation import by_word

    if not report.wrong:
        return []
    title = counted(len(report.wrong), "misclassified row")
    if report.out_of_scope is not None and report.out_of_scope.n_answered:
        title += f", {report.out_of_scope.n_answered:,} of them out of scope"
    lines = ["", f"{title}. Most confident first; check these labels:"]
    for wrong in report.wrong[:_N_WRONG_SHOWN]:
        lines += [f"  {corpus.place(wrong.row)}  {_mistake(wrong)}", f"    {shortened(wrong.text)}"]
        if words := weighed(by_word(wrong.text, wrong.spans)):
            lines.append(f"      words: {words}")
        if trained_on is not None:
            lines += [f"      {nearby(one, trained_on)}" for one in wrong.neighbours]
    if not errors_are_written and len(report.wrong) > _N_WRONG_SHOWN:
        lines.append("Write all of them with --errors FILE.")
    return lines


def _mistake(wrong: "WrongRow") -> str:
    label, predicted = shown_label(wrong.label), shown_label(wrong.predicted)
    return f"labelled {label}, predicted {predicted} ({shown_confidence(wrong.confidence)})"


def comparison_lines(result: "Comparison") -> list[str]:
    """Return a comparison as lines: one per candidate, best first."""
    rows = [
        [
            one.embedder,
            f"{one.dimensions:,}" if one.dimensions else "–",
            one.head,
            one.features,
            f"{one.accuracy:.3f} ({one.accuracy_interval.low:.3f} to {one.accuracy_interval.high:.3f})",
            "best" if place == 0 else shown_difference(one.difference, *one.difference_interval, significant=one.worse),
            "–" if one.tokens is None else f"{one.tokens:,}",
            _dollars(one),
            f"{one.model_bytes / 1_000:,.1f} kB",
            f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
        ]
        for place, one in enumerate(result.candidates)
    ]
    header = [
        *("embedder", "dims", "head", "features", "accuracy (95 %)", "Δ accuracy vs best (95 %)"),
        *("tokens", "dollars", "model", "ms/text"),
    ]
    return [
        f"{counted(result.n_examples, 'row')} ({result.n_folds}-fold cross-validation):",
        *table(header, rows, left=(0, 2, 3, 5)),
    ]


def _dollars(one: "Compared") -> str:
    if one.tokens is None:
        return "free"
    return "unknown" if one.dollars is None else shown_dollars(one.dollars)
