"""Reports on texts with several labels as lines of text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_confidence
from embedclf.printing.answered import answer_lines, likeliest_lines
from embedclf.printing.lines import HEADING, PLAIN, RIGHT, WRONG, Line, Piece, heading, pieces_of
from embedclf.printing.tables import Places, nearby, percent, place_of, shortened, shown_label, table, with_interval

if TYPE_CHECKING:
    from embedclf.classifier.model_card import ModelCard
    from embedclf.evaluation.multilabel_levels import LevelsOfLabels
    from embedclf.evaluation.multilabel_report import MultiLabelBaseline, MultiLabelReport, WrongLabels
    from embedclf.stats.intervals import Interval

REST = "--report FILE.html and --json have all"
"""Where a command has the labels that are left out."""
_N_WRONG_SHOWN = 5
# With more labels, only the worst are shown.
_MOST_LABELS, _N_WORST = 20, 15
_N_PAIRS_SHOWN = 5
NO_LABELS = "no label"
"""What stands for the labels of a text that has none."""


def multilabel_report_lines(
    report: "MultiLabelReport", corpus: Places, trained_on: Places | None, *, errors_are_written: bool, rest: str = REST
) -> list[Line]:
    """Return a report as lines; see `report_lines`."""
    return [
        f"rows               {report.n_examples:,}",
        [(f"micro-F1           {with_interval(report.micro_f1, report.micro_f1_interval)}", HEADING)],
        *baseline_lines(report.baseline),
        f"macro-F1           {with_interval(report.macro_f1, report.macro_f1_interval)}",
        f"exact match        {with_interval(report.exact_match, report.exact_match_interval)}",
        *likeliest_lines(report.answers, several=True),
        *answer_lines(report.answers),
        "ranking precision  "
        + with_interval(report.label_ranking_average_precision, report.label_ranking_average_precision_interval)
        + "  (LRAP)",
        f"labels per text    {report.labels_per_text:.2f}, predicted {report.predicted_labels_per_text:.2f}",
        f"precision, recall  {report.micro_precision:.3f}, {report.micro_recall:.3f}  (of all labels together)",
        f"calibration error  {report.ece:.3f}  (ECE, of the probabilities of all labels)",
        *_levels(report),
        "",
        *label_lines(report, rest),
        *pair_lines(report),
        "",
        *reliability_lines(report),
        *_wrong_rows(report, corpus, trained_on, errors_are_written),
    ]


def _levels(report: "MultiLabelReport") -> list[Line]:
    """Return the figures of each level of labels in a tree, and of the labels of each depth that are given."""
    if (tree := report.hierarchy) is None:
        return []
    tables = (level_cells(tree), (2,)), (depth_cells(tree), (3,))
    lines = [line for (header, rows), left in tables for line in ("", *table(header, rows, left=left))]
    if tree.mean_depth is not None:
        lines.append(f"The labels given have {tree.mean_depth:.2f} parts on average.")
    return lines


def level_cells(tree: "LevelsOfLabels") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the levels of labels in a tree."""
    rows = [
        [
            f"{one.level}",
            f"{one.n_labels:,}",
            with_interval(one.micro_f1, one.micro_f1_interval),
            f"{one.macro_f1:.3f}",
            f"{one.exact_match:.3f}",
        ]
        for one in tree.levels
    ]
    return ["level", "labels", "micro-F1", "macro-F1", "exact match"], rows


def depth_cells(tree: "LevelsOfLabels") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the labels of each depth that are given, the deepest first."""
    rows = [
        [
            f"{one.depth}",
            f"{one.n_given:,}",
            percent(one.share),
            "–" if one.precision_interval is None else with_interval(one.precision or 0.0, one.precision_interval),
        ]
        for one in reversed(tree.given)
    ]
    return ["given at level", "labels", "share", "precision"], rows


def baseline_lines(baseline: "MultiLabelBaseline") -> list[Line]:
    """Return what answering every text the same reaches, and words alone."""
    if baseline.label is None:
        return []
    lines: list[Line] = [f"baseline           {baseline.micro_f1:.3f}  (always {shown_label(baseline.label)})"]
    if baseline.words_micro_f1 is not None:
        lines.append(f"words alone        {baseline.words_micro_f1:.3f}  (TF-IDF and logistic regression)")
    return lines


def shown_labels(labels: Sequence[str]) -> str:
    """Return the labels of a text as people read them."""
    return ", ".join(map(shown_label, labels)) or NO_LABELS


def label_lines(report: "MultiLabelReport", rest: str) -> list[Line]:
    """Return the figures of each label, or of the worst ones if there are many."""
    n = len(report.per_label)
    few = n <= _MOST_LABELS
    shown = list(report.per_label) if few else report.weakest_first[:_N_WORST]
    rows = []
    for name in shown:
        one = report.per_label[name]
        shares = _with_ends(one.precision, one.precision_interval), _with_ends(one.recall, one.recall_interval)
        rows.append([shown_label(name), *shares, f"{one.f1:.3f}", f"{one.support:,}"])
    lines = table(["label", "precision (95 %)", "recall (95 %)", "F1", "rows"], rows)
    if few:
        return lines
    more = f"… {counted(n - len(shown), 'more label')} ({rest})"
    return [heading(f"The {len(shown)} labels with the lowest F1, of {n}:"), *lines, more]


def _with_ends(share: float, interval: "Interval | None") -> str:
    return "–" if interval is None else f"{share:.3f} ({interval.low:.2f} to {interval.high:.2f})"


def pair_lines(report: "MultiLabelReport") -> list[Line]:
    """Return which labels are often mistaken together."""
    lines: list[Line] = []
    if report.confusions:
        rows = [
            [f"{one.n_texts:,}", shown_label(one.missed), shown_label(one.given)]
            for one in report.confusions[:_N_PAIRS_SHOWN]
        ]
        lines += [
            "",
            heading("Most often given instead of another:"),
            *table(["rows", "missed", "given"], rows, left=(1, 2)),
        ]
    for title, pairs in (
        ("Most often missed together:", report.missed_together),
        ("Most often given together wrongly:", report.wrongly_given_together),
    ):
        if pairs:
            rows = [[f"{one.n_texts:,}", *map(shown_label, one.labels)] for one in pairs[:_N_PAIRS_SHOWN]]
            lines += ["", heading(title), *table(["rows", "label", "other label"], rows, left=(1, 2))]
    return lines


def reliability_lines(report: "MultiLabelReport") -> list[Line]:
    """Return the probabilities of labels beside how often they apply."""
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", f"{one.n_examples:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]
        for one in report.reliability
    ]
    return table(["probability", "labels", "mean probability", "share that applies"], rows)


def _wrong_rows(
    report: "MultiLabelReport", corpus: Places, trained_on: Places | None, errors_are_written: bool
) -> list[Line]:
    if not report.wrong:
        return []
    title = counted(len(report.wrong), "row") + " with wrong labels" + (f" in {corpus.name}" if corpus.name else "")
    lines: list[Line] = ["", heading(f"{title}. Surest mistakes first; check these labels:")]
    if trained_on is not None and any(one.neighbours for one in report.wrong):
        lines.append(f"Beneath each, the most similar rows of {trained_on.name or 'the training set'}.")
    for wrong in report.wrong[:_N_WRONG_SHOWN]:
        lines += [_mistake(wrong, corpus), f"    {shortened(wrong.text, beside=4)}"]
        if trained_on is not None:
            lines += [[("      ", PLAIN), *pieces_of(nearby(one, trained_on, 6))] for one in wrong.neighbours]
    if not errors_are_written and len(report.wrong) > _N_WRONG_SHOWN:
        lines.append("Write all of them with --errors FILE.")
    return lines


def _mistake(wrong: "WrongLabels", corpus: Places) -> Line:
    pieces: list[Piece] = [
        ("  ", PLAIN),
        place_of(wrong.row, corpus),
        (f"  labelled {shown_labels(wrong.labels)}: ", PLAIN),
    ]
    if wrong.missing:
        pieces += [("missed ", PLAIN), (shown_labels(wrong.missing), RIGHT)]
    if wrong.extra:
        pieces += [
            (", wrongly given " if wrong.missing else "wrongly given ", PLAIN),
            (shown_labels(wrong.extra), WRONG),
        ]
    return [*pieces, (f" ({shown_confidence(wrong.confidence)})", PLAIN)]


def label_rules(card: "ModelCard") -> str:
    """Return which labels a text gets if it may have several."""
    rules = card.multilabel
    if rules is None:
        return "one per text"
    least, most = min(rules.thresholds), max(rules.thresholds)
    thresholds = f"threshold {least:.2f}" if least == most else f"thresholds {least:.2f} to {most:.2f}"
    # A text whose likeliest label is below the threshold for a precision gets none.
    has_one = rules.at_least_one and all(one.figure != "precision" for one in card.targets or ())
    return f"{thresholds}, {'at least one label per text' if has_one else 'a text may have none'}"
