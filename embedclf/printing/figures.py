"""Reports and comparisons as lines of text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import (
    about_dollars,
    counted,
    shown_confidence,
    shown_difference,
    shown_interval,
    shown_share,
    shown_shares,
    shown_threshold,
)
from embedclf.printing.answered import abstaining, answer_lines, held_out_lines, likeliest_lines, rules_of
from embedclf.printing.lines import HEADING, PLAIN, RIGHT, WRONG, Line, Style, heading, pieces_of
from embedclf.printing.multilabel import REST, label_rules
from embedclf.printing.tables import (
    Places,
    in_one_line,
    nearby,
    percent,
    place_of,
    shortened,
    shown_label,
    shown_word,
    table,
    weighed,
    with_interval,
)
from embedclf.printing.width import columns

if TYPE_CHECKING:
    from embedclf.classifier.model_card import HeldOut, ModelCard
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.evaluation.comparison import Compared, Comparison
    from embedclf.evaluation.learning import LearningCurve, LearningPoint
    from embedclf.evaluation.levels import Levels
    from embedclf.evaluation.report import Report, WrongRow


_N_WRONG_SHOWN = 5
# With more labels, only the worst are shown.
_MOST_LABELS, _N_WORST = 20, 15
_N_CLASSES_SHOWN = 12
_PLOT_WIDTH, _LEAST_PLOT_WIDTH, _MOST_PLOT_WIDTH = 39, 20, 100
_WIDTH_OF_FIGURES = 41
_THRESHOLDS_SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def report_lines(
    report: "Report", corpus: Places, trained_on: Places | None, *, errors_are_written: bool, rest: str = REST
) -> list[Line]:
    """Return a report as lines: metrics, strongest words per label, and the most confident errors.

    Parameters
    ----------
    report : Report
    corpus, trained_on : Places
        Where its rows and their neighbours come from.
    errors_are_written : bool
        Whether all misclassified rows are also written to a file.
    rest : str
        Where the labels are that are left out.
    """
    return [
        *_figures(report, rest),
        *_words(report, rest),
        *_wrong_rows(report, corpus, trained_on, errors_are_written),
    ]


def _figures(report: "Report", rest: str) -> list[Line]:
    n_known = report.n_examples - sum(report.unknown_labels.values())
    of_known = f"  (over the {counted(n_known, 'row')} whose label the model knows)" if report.unknown_labels else ""
    lines: list[Line] = [
        f"rows               {report.n_examples:,}",
        *_headline(report),
        *likeliest_lines(report.answers),
        *baseline_lines(report),
        *answer_lines(report.answers),
        f"macro-F1           {with_interval(report.macro_f1, report.macro_f1_interval)}",
        f"weighted F1        {report.weighted_f1:.3f}",
        f"log loss           {report.log_loss:.3f}{of_known}",
        f"calibration error  {report.ece:.3f}  (ECE)",
    ]
    if sets := report.label_sets:
        held = with_interval(sets.coverage, sets.coverage_interval)
        none = f", none in {percent(sets.empty)}" if sets.empty else ""
        lines += [
            f"label sets         {held} hold the true label, at coverage {sets.target:g}",
            f"  mean size        {sets.mean_size:.2f}; one label in {percent(sets.single)}{none}",
        ]
    if outside := report.out_of_scope:
        more = "" if outside.f1 is None else f"  (recall; precision {percent(outside.precision)}, F1 {outside.f1:.3f})"
        interval = shown_shares(outside.in_scope_accuracy_interval)
        lines += [
            "",
            f"out of scope       {counted(outside.n_examples, 'row')}",
            f"  rejected         {percent(outside.recall)}{more}",
            f"  AUROC            {outside.auroc:.3f}",
            f"  in-scope rows answered correctly  {percent(outside.in_scope_accuracy)}  ({interval})",
            f"  calibration error of all rows     {outside.ece:.3f}  (ECE)",
        ]
    lines += [*level_lines(report), "", *label_lines(report, rest)]
    if report.confusions:
        lines += ["", heading("Most frequent confusions:"), *_confusions(report)]
    return [*lines, "", *_reliability(report), "", *_coverage(report)]


def _headline(report: "Report") -> list[Line]:
    """Return the accuracy of what the model answers, and that of answering everything."""
    accuracy = with_interval(report.accuracy, report.accuracy_interval)
    if (answered := report.answered) is None:
        return [[(f"accuracy           {accuracy}", HEADING)]]
    share = f"{percent(answered.coverage)}  ({shown_shares(answered.coverage_interval)})"
    right = "–"
    if answered.accuracy is not None and answered.accuracy_interval is not None:
        right = with_interval(answered.accuracy, answered.accuracy_interval)
    at = "" if report.threshold is None else f", at confidence ≥ {shown_threshold(report.threshold)}"
    return [
        [(f"answered           {share}{at}", HEADING)],
        [(f"accuracy on these  {right}", HEADING)],
        f"accuracy on all    {accuracy}",
    ]


def level_lines(report: "Report") -> list[Line]:
    """Return the figures of each level of labels in a tree, and of the answers of each depth."""
    if (tree := report.hierarchy) is None:
        return []
    header, rows = level_cells(tree)
    lines = ["", *table(header, rows, left=(3,))]
    if tree.answered:
        header, rows = depth_cells(tree)
        lines += ["", *table(header, rows, left=(3,))]
    if tree.mean_depth is not None:
        lines.append(f"Answers have {tree.mean_depth:.2f} parts on average.")
    return lines


def level_cells(tree: "Levels") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the levels of labels in a tree."""
    rows = [
        [f"{one.level}", f"{one.n_labels:,}", f"{one.macro_f1:.3f}", with_interval(one.accuracy, one.accuracy_interval)]
        for one in tree.levels
    ]
    return ["level", "labels", "macro-F1", "accuracy"], rows


def depth_cells(tree: "Levels") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the answers of each depth at the threshold, the deepest first."""
    rows = [
        [
            f"{one.depth}",
            percent(one.coverage),
            f"{one.n_answered:,}",
            "–" if one.accuracy_interval is None else with_interval(one.accuracy or 0.0, one.accuracy_interval),
        ]
        for one in reversed(tree.answered)
    ]
    return ["answered at level", "coverage", "rows", "accuracy"], rows


def baseline_lines(report: "Report") -> list[Line]:
    """Return what simpler classifiers reach on the same rows."""
    if (baseline := report.baseline) is None:
        return []
    lines: list[Line] = [f"baseline           {baseline.accuracy:.3f}  (always {shown_label(baseline.label)})"]
    if baseline.words_accuracy is not None:
        lines.append(f"words alone        {baseline.words_accuracy:.3f}  (TF-IDF and logistic regression)")
    return lines


def _worst(report: "Report") -> list[str]:
    """Return the labels to show: all of them, or those with the lowest F1 if there are many."""
    names = list(report.per_class)
    if len(names) <= _MOST_LABELS:
        return names
    return sorted(names, key=lambda name: report.per_class[name].f1)[:_N_WORST]


def _how_to_see_all(report: "Report", shown: Sequence[str], rest: str) -> list[Line]:
    if not (n_more := len(report.per_class) - len(shown)):
        return []
    return [f"… {counted(n_more, 'more label')} ({rest})"]


def label_lines(report: "Report", rest: str = REST) -> list[Line]:
    """Return the figures of each label, or of the worst ones if there are many."""
    shown = _worst(report)
    rows = []
    for name in shown:
        one = report.per_class[name]
        rows.append(
            [shown_label(name), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        )
    more = _how_to_see_all(report, shown, rest)
    title = [heading(f"The {len(shown)} labels with the lowest F1, of {len(report.per_class)}:")] if more else []
    return [*title, *table(["label", "precision", "recall", "F1", "rows"], rows), *more]


def _confusions(report: "Report") -> list[Line]:
    rows = [[f"{one.n_texts:,}", shown_label(one.label), shown_label(one.predicted)] for one in report.confusions]
    return table(["rows", "label", "predicted"], rows, left=(1, 2))


def _reliability(report: "Report") -> list[Line]:
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", f"{one.n_examples:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]
        for one in report.reliability
    ]
    return table(["confidence", "rows", "mean confidence", "accuracy"], rows)


def _coverage(report: "Report") -> list[Line]:
    shown = {*_THRESHOLDS_SHOWN, report.threshold}
    rows = []
    for one in report.coverage:
        if one.threshold in shown:
            is_own = bool(one.threshold) and one.threshold == report.threshold
            style: Style = HEADING if is_own else PLAIN
            cells = [
                shown_threshold(one.threshold),
                percent(one.coverage),
                f"{round(one.coverage * report.n_examples):,}",
                "–" if one.accuracy is None else f"{one.accuracy:.3f}",
                "← model's threshold" if is_own else "",
            ]
            rows.append([(cell, style) for cell in cells])
    return table(["threshold", "coverage", "rows", "accuracy", ""], rows, left=(0, 4))


def _words(report: "Report", rest: str) -> list[Line]:
    if not report.words_by_label:
        return []
    shown = _worst(report)
    rows = [
        [shown_label(label), ", ".join(shown_word(one.word) for one in report.words_by_label[label])]
        for label in shown
        if label in report.words_by_label
    ]
    return ["", *table(["label", "strongest words"], rows, left=(0, 1)), *_how_to_see_all(report, shown, rest)]


def _wrong_rows(report: "Report", corpus: Places, trained_on: Places | None, errors_are_written: bool) -> list[Line]:
    from embedclf.classifier.explanation import by_word

    if not report.wrong:
        return []
    title = counted(len(report.wrong), "misclassified row") + (f" in {corpus.name}" if corpus.name else "")
    if report.out_of_scope is not None and report.out_of_scope.n_answered:
        title += f", {report.out_of_scope.n_answered:,} of them out of scope"
    lines: list[Line] = ["", heading(f"{title}. Most confident first; check these labels:")]
    if trained_on is not None:
        lines.append(f"Beneath each, the most similar rows of {trained_on.name or 'the training set'}.")
    for wrong in report.wrong[:_N_WRONG_SHOWN]:
        lines += [_mistake(wrong, corpus), f"    {shortened(wrong.text, beside=4)}"]
        if words := weighed(by_word(wrong.text, wrong.spans)):
            lines.append(f"      words: {words}")
        if trained_on is not None:
            lines += [[("      ", PLAIN), *pieces_of(nearby(one, trained_on, 6))] for one in wrong.neighbours]
    if not errors_are_written and len(report.wrong) > _N_WRONG_SHOWN:
        lines.append("Write all of them with --errors FILE.")
    return lines


def _mistake(wrong: "WrongRow", corpus: Places) -> Line:
    return [
        ("  ", PLAIN),
        place_of(wrong.row, corpus),
        ("  labelled ", PLAIN),
        (shown_label(wrong.label), RIGHT),
        (", predicted ", PLAIN),
        (shown_label(wrong.predicted), WRONG),
        (f" ({shown_confidence(wrong.confidence)})", PLAIN),
    ]


def comparison_lines(result: "Comparison") -> list[Line]:
    """Return a comparison as lines: one per candidate, best first."""
    rows = [
        [
            one.name,
            f"{one.dimensions:,}" if one.dimensions else "–",
            one.head,
            one.features,
            f"{one.score.value:.3f} ({shown_interval(one.score.interval)})",
            *upper_levels(one),
            "best" if place == 0 else shown_difference(one.difference, *one.difference_interval, significant=one.worse),
            "–" if one.tokens is None else f"{one.tokens:,}",
            dollars_of(one),
            f"{one.model_bytes / 1_000:,.1f} kB",
            f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
        ]
        for place, one in enumerate(result.candidates)
    ]
    levels = names_of_upper_levels(result.candidates[0])
    header = [
        *("embedder", "dims", "head", "features", f"{result.metric} (95 %)", *levels),
        f"Δ {result.metric} vs best (95 %)",
        *("tokens", "dollars", "model", "ms/text"),
    ]
    return [
        heading(f"{counted(result.n_examples, 'row')} ({result.n_folds}-fold cross-validation):"),
        *table(header, rows, left=(0, 2, 3, 5 + len(levels))),
    ]


def names_of_upper_levels(one: "Compared | LearningPoint") -> list[str]:
    """Return the names of the levels above the whole labels, if these are in a tree."""
    return [f"level {level}" for level in range(1, len(one.level_accuracies or ()))]


def upper_levels(one: "Compared | LearningPoint") -> list[str]:
    """Return the accuracy of each level above the whole labels."""
    return [f"{accuracy:.3f}" for accuracy in (one.level_accuracies or ())[:-1]]


def dollars_of(one: "Compared") -> str:
    """Return what embedding has cost one of those compared, for people."""
    if one.tokens is None:
        return "free"
    return "unknown" if one.dollars is None else about_dollars(one.dollars)


def learning_curve_lines(curve: "LearningCurve") -> list[Line]:
    """Return a learning curve as lines: one per number of training rows, with a plot, then the verdict."""
    levels = names_of_upper_levels(curve.points[-1])
    plot_width = _plot_width(_WIDTH_OF_FIGURES + sum(len(name) + 2 for name in levels))
    low = min(point.interval.low for point in curve.points)
    high = max(point.interval.high for point in curve.points)

    def place(score: float) -> int:
        return round((score - low) / max(high - low, 1e-9) * (plot_width - 1))

    rows = []
    for point in curve.points:
        line = [" "] * plot_width
        start, end = place(point.interval.low), place(point.interval.high)
        line[start : end + 1] = "-" * (end + 1 - start)
        line[place(point.score)] = "o"
        figures = [f"{point.score:.3f}", shown_interval(point.interval), *upper_levels(point)]
        rows.append([f"{point.n_labels:,}", *figures, "".join(line)])
    scale = f"{low:.3f}{f'{high:.3f}':>{plot_width - 5}}"
    return [
        f"Held-out test: {counted(curve.n_held_out, 'row')}",
        *table(["training rows", curve.metric, "95 % interval", *levels, scale], rows, left=(3 + len(levels),)),
        "",
        [(curve.verdict, HEADING)],
    ]


def _plot_width(of_figures: int) -> int:
    """Return the width of the plot: the columns beside the figures, or of a line beneath them if these are few."""
    if (total := columns()) is None:
        return _PLOT_WIDTH
    beside = total - of_figures
    return min(beside, _MOST_PLOT_WIDTH) if beside >= _LEAST_PLOT_WIDTH else min(_PLOT_WIDTH, total - 4)


def classifier_lines(classifier: "TextClassifier") -> list[Line]:
    """Return what a classifier is, and how good, as lines."""
    card, classes = classifier.card, [shown_label(name) for name in classifier.classes]
    named = ", ".join(classes[:_N_CLASSES_SHOWN]) + (" …" if len(classes) > _N_CLASSES_SHOWN else "")
    chosen = "" if card.regularization is None else f", C = {card.regularization:g}"
    held = "nothing, so accuracy is not known"
    if held_out := card.held_out:
        held = "".join([*_quality(held_out), f"; {counted(held_out.n_examples, 'row')}"])
    trained_on, head = counted(card.n_examples, "row"), f"{card.head}{chosen}"
    if card.is_of_labels_alone:
        trained_on, head = f"no rows, {counted(card.n_examples, 'text')} of labels", "nearest label"
        held = "nothing: accuracy and calibration are not known"
    last = f"abstains    {abstaining(card)}"
    if card.multilabel is not None:
        last = f"labels      {label_rules(card)}"
    return [
        f"classes     {len(classes):,}: {named}",
        f"features    {in_one_line(classifier.features)}",
        f"head        {head}",
        f"trained on  {trained_on}",
        f"held out    {held}",
        last,
        *([f"answers by  {', '.join(rules)}"] if (rules := rules_of(card)) else []),
    ]


def training_lines(classifier: "TextClassifier") -> list[Line]:
    """Return how a classifier was trained and how it did on held-out rows, as lines."""
    card = classifier.card
    threshold = None if card.threshold is None else shown_threshold(card.threshold)
    lines: list[Line] = []
    if card.is_of_labels_alone:
        abstains = "" if threshold is None else f"; threshold {threshold}"
        return [
            f"Trained on {counted(card.n_examples, 'text')} of {counted(len(classifier.classes), 'label')}, and no rows"
            f"{abstains}",
            [("Nothing was measured", HEADING), (": accuracy is not known, and confidences are a rough guess.", PLAIN)],
            "Next, label some texts (embedclf suggest FILE chooses them) and train on these, with the same --labels.",
        ]
    lines += held_out_test_lines(card)
    chosen = "" if card.regularization is None else f"C = {card.regularization:g}, "
    in_scope = card.out_of_scope_label is not None and card.multilabel is None
    rows = f"{card.n_examples:,} rows" + (" in scope" if in_scope else "")
    abstains = "" if threshold is None else f", threshold {threshold}"
    if card.multilabel is not None:
        abstains = f", {label_rules(card)}"
    lines.append(f"Trained on all {rows} ({card.head}, {chosen}temperature {card.temperature:.3g}{abstains})")
    return lines


def held_out_test_lines(card: "ModelCard") -> list[Line]:
    """Return how a classifier did on held-out rows, as lines; none if none were held out."""
    if (held_out := card.held_out) is None:
        return []
    threshold = None if card.threshold is None else shown_threshold(card.threshold)
    accuracy, rest = _quality(held_out)
    before = f"Held-out test ({counted(held_out.n_examples, 'row')}): "
    lines: list[Line] = [[(before, PLAIN), (accuracy, HEADING), (rest, PLAIN)]]
    if held_out.labels_per_text is not None:
        predicted = f"predicted {held_out.predicted_labels_per_text:.2f}"
        lines.append(f"Labels per text: {held_out.labels_per_text:.2f}, {predicted}")
    if held_out.level_accuracies is not None:
        levels = ", ".join(f"{level}: {one:.3f}" for level, one in enumerate(held_out.level_accuracies, 1))
        lines.append(f"Accuracy by level: {levels}")
    if held_out.coverage is not None:
        of_these = "" if held_out.answered_accuracy is None else f", accuracy {held_out.answered_accuracy:.3f}"
        at = "Answers" if threshold is None else f"At confidence ≥ {threshold}: answers"
        lines.append(f"{at} {shown_share(held_out.coverage)}{of_these}")
    if held_out.out_of_scope_recall is not None:
        lines.append(f"Held-out out-of-scope rows rejected: {shown_share(held_out.out_of_scope_recall)}")
    return lines + held_out_lines(held_out.answers, several=card.multilabel is not None)


def _quality(held_out: "HeldOut") -> tuple[str, str]:
    """Return the main figure, and what stands behind it: what simpler classifiers reach, if known, and other figures.

    The main figure is the accuracy, or micro-F1 if texts have several labels.
    """
    if held_out.micro_f1 is not None:
        others = f"exact match {held_out.accuracy:.3f}, calibration error {held_out.ece:.3f}"
        return f"micro-F1 {held_out.micro_f1:.3f}", f", macro-F1 {held_out.macro_f1:.3f}, {others}"
    beside = ""
    if held_out.baseline_accuracy is not None:
        words = "" if held_out.words_accuracy is None else f", words alone {held_out.words_accuracy:.3f}"
        beside = f" (baseline {held_out.baseline_accuracy:.3f}{words})"
    rest = f"{beside}, macro-F1 {held_out.macro_f1:.3f}, calibration error {held_out.ece:.3f}"
    return f"accuracy {held_out.accuracy:.3f}", rest
