"""HTML reports on texts with several labels: an evaluation, or a cross-validation."""

from collections.abc import Sequence

from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.formatting import counted, shown_confidence
from embedclf.pages import charts
from embedclf.pages.markup import Markup, breakable, joined, tag
from embedclf.pages.names import in_one_line
from embedclf.pages.rendering import Facts, Heading, Section, folded, render, table
from embedclf.pages.reports import INTERVALS, answers_section, between, tile, with_folds
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.pages.verdict import percent
from embedclf.printing.cross_validation import described
from embedclf.printing.multilabel import NO_LABELS, depth_cells, level_cells
from embedclf.stats.intervals import Interval

# With more labels, the others are collapsed.
_MOST_LABELS = 25
_N_WEAKEST = 3


def multilabel_page(
    report: MultiLabelReport,
    title: str,
    place: RowPlace | None = None,
    near_place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of an evaluation; see `evaluation_page`."""
    tiles = [
        tile("micro-F1", report.micro_f1, report.micro_f1_interval),
        tile("macro-F1", report.macro_f1, report.macro_f1_interval),
        tile("exact match", report.exact_match, report.exact_match_interval),
        tile(
            "ranking precision (LRAP)",
            report.label_ranking_average_precision,
            report.label_ranking_average_precision_interval,
        ),
        ("calibration error (ECE)", f"{report.ece:.3f}", "of all labels' probabilities"),
        ("labels per text", f"{report.labels_per_text:.2f}", f"{report.predicted_labels_per_text:.2f} predicted"),
        ("rows", f"{report.n_examples:,}", f"{len(report.wrong):,} with wrong labels"),
    ]
    said = _verdict(report, report.micro_f1, report.micro_f1_interval, report.exact_match, report.exact_match_interval)
    return render(Heading(title, said, tiles, facts, note), _sections(report, place, near_place), INTERVALS)


def multilabel_cross_validation_page(
    result: MultiLabelCrossValidation,
    title: str,
    place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of a cross-validation; see `cross_validation_page`."""
    tiles = [
        tile("micro-F1", result.micro_f1, result.micro_f1_interval),
        tile("macro-F1", result.macro_f1, result.macro_f1_interval),
        tile("exact match", result.exact_match, result.exact_match_interval),
        ("calibration error (ECE)", f"{result.ece:.3f}", "of all labels' probabilities"),
        ("rows", f"{result.n_examples:,}", described(result)),
    ]
    sections = with_folds(_sections(result.report, place, None), result)
    said = _verdict(
        result.report, result.micro_f1, result.micro_f1_interval, result.exact_match, result.exact_match_interval
    )
    return render(Heading(title, said, tiles, facts, note), sections, INTERVALS)


def _verdict(
    report: MultiLabelReport, micro_f1: float, of_micro_f1: Interval, exact_match: float, of_exact_match: Interval
) -> list[str]:
    baseline = report.baseline
    always = ""
    if baseline.label is not None:
        always = (
            f"; always giving the commonest label, {in_one_line(baseline.label)}, would reach {baseline.micro_f1:.3f}"
        )
        if baseline.words_micro_f1 is not None:
            always += f", and words alone {baseline.words_micro_f1:.3f}"
    low, high = (percent(end).removesuffix(" %") for end in of_exact_match)
    said = [
        f"{percent(report.micro_precision)} of the labels given are right, and {percent(report.micro_recall)} of the "
        f"labels that texts have are found: micro-F1 {micro_f1:.3f} ({between(of_micro_f1)}){always}.",
        f"{percent(exact_match)} of {counted(report.n_examples, 'text')} get exactly their labels ({low} to {high} %).",
    ]
    weakest = [name for name in report.weakest_first if report.per_label[name].f1 < 1][:_N_WEAKEST]
    if weakest:
        labels = ", ".join(f"{in_one_line(name)} (F1 {report.per_label[name].f1:.2f})" for name in weakest)
        mistaken = ""
        if report.confusions:
            one = report.confusions[0]
            mistaken = (
                f"; most often mistaken: {in_one_line(one.given)} given where {in_one_line(one.missed)} was missed "
                f"({counted(one.n_texts, 'row')})"
            )
        said.append(f"Weakest: {labels}{mistaken}.")
    return said


def _sections(report: MultiLabelReport, place: RowPlace | None, near_place: RowPlace | None) -> list[Section]:
    return [
        *_levels(report),
        _labels(report),
        *answers_section(report.answers, "exact match", report.exact_match, "usual thresholds"),
        *_pairs(report),
        _reliability(report),
        _wrong(report, place, near_place),
    ]


def _levels(report: MultiLabelReport) -> list[Section]:
    """Return the figures of labels in a tree."""
    if (tree := report.hierarchy) is None:
        return []
    of_levels = f"The first 1, 2, … parts of the labels, separated by “{tree.separator.strip()}”."
    of_depths = "A label given is right if the text has it, or one below it."
    if tree.mean_depth is not None:
        of_depths += f" Labels given have {tree.mean_depth:.2f} parts on average."
    return [
        Section("Levels", of_levels, [table("Levels", *level_cells(tree), left=(2,))], half=True),
        Section("Depth of labels", of_depths, [table("Depth of labels", *depth_cells(tree), left=(3,))], half=True),
    ]


def _labels(report: MultiLabelReport) -> Section:
    header = [
        "label",
        "",
        "F1",
        "precision",
        "95 % interval",
        "recall",
        "95 % interval",
        "rows",
        "predicted",
        "threshold",
    ]
    rows: list[list[object]] = []
    for name in report.weakest_first:
        one = report.per_label[name]
        rows.append(
            [
                *(tag("bdi", breakable(name)), charts.bar(one.f1), f"{one.f1:.3f}"),
                *(f"{one.precision:.3f}", _between(one.precision_interval)),
                *(f"{one.recall:.3f}", _between(one.recall_interval)),
                *(f"{one.support:,}", f"{one.n_predicted:,}"),
                "–" if one.threshold is None else f"{one.threshold:.3f}",
            ]
        )
    if report.per_label and all(one.threshold is None for one in report.per_label.values()):
        header, rows = header[:-1], [row[:-1] for row in rows]
    n, few = len(rows), len(rows) <= _MOST_LABELS + 1
    shown = rows if few else rows[:_MOST_LABELS]
    parts = [table("Labels", header, shown, left=(0, 1))]
    if not few:
        others = f"The other {n - len(shown)} labels"
        parts.append(folded(others, table(others, header, rows[len(shown) :], left=(0, 1))))
    which = "each label" if few else f"the {len(shown)} weakest of {n} labels"
    return Section("Labels", f"F1, precision and recall of {which}, weakest first.", parts)


def _between(interval: Interval | None) -> str:
    return "–" if interval is None else between(interval)


def _pairs(report: MultiLabelReport) -> list[Section]:
    numbers = {name: number for number, name in enumerate(report.weakest_first)}
    sections = []
    if report.confusions:
        rows = [
            [
                tag(
                    "a",
                    *(tag("bdi", breakable(one.missed)), " → ", tag("bdi", breakable(one.given))),
                    href="#rows",
                    data_label="",
                    data_missed=numbers[one.missed],
                    data_extra=numbers[one.given],
                ),
                f"{one.n_texts:,}",
            ]
            for one in report.confusions
        ]
        note = "The text has the first label, and was given the second instead."
        sections.append(
            Section("Given instead", note, [table("Given instead", ["missed → given", "rows"], rows)], half=True)
        )
    for title, note, pairs in (
        ("Missed together", "The text has both labels, and was given neither.", report.missed_together),
        ("Given together wrongly", "The text was given both labels, and has neither.", report.wrongly_given_together),
    ):
        if pairs:
            rows = [[_joined(one.labels), f"{one.n_texts:,}"] for one in pairs]
            sections.append(Section(title, note, [table(title, ["labels", "rows"], rows)], half=True))
    return sections


def _joined(names: Sequence[str]) -> Markup:
    return joined([tag("bdi", breakable(name)) for name in names], " + ")


def _reliability(report: MultiLabelReport) -> Section:
    header = ["probability", "labels", "mean probability", "share that applies"]
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", f"{one.n_examples:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]
        for one in report.reliability
    ]
    chart = charts.reliability_chart(report.reliability, "probability", "share that applies", "label")
    return Section(
        "Reliability",
        "Of all labels of all texts. Calibrated models follow the dashed line: of labels with a probability of 80 %, "
        "80 % apply.",
        [chart, folded("Figures", table("Figures of reliability", header, rows, left=()), printed=False)],
        half=True,
    )


def _wrong(report: MultiLabelReport, place: RowPlace | None, near_place: RowPlace | None) -> Section:
    title = "Rows with wrong labels"
    if not report.wrong:
        return Section(title, "None.")
    rows = [
        Listed(
            "" if place is None else place(one.row),
            one.text,
            (one.labels or NO_LABELS, one.missing, one.extra, shown_confidence(one.confidence)),
            [
                (
                    f"{near.similarity:.2f} {'' if near_place is None else near_place(near.row) + ' '}{near.label}:",
                    near.text,
                )
                for near in one.neighbours
            ],
        )
        for one in report.wrong
    ]
    order = report.weakest_first
    note = "Surest mistakes first; check these labels, as they are the most likely to be wrong. Missed labels are in "
    note += "the row but were not given; extra ones were given but are not in the row."
    columns = ["labels", "missed", "extra", "confidence"]
    shown = row_list(rows, columns, {"missed": order, "extra": order}, wrong="extra", numbers=["confidence"])
    return Section(title, note, [shown])
