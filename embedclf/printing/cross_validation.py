"""Cross-validations as lines of text, whether texts have one label each or several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from embedclf.printing import figures, multilabel
from embedclf.printing.answered import answer_lines, likeliest_lines
from embedclf.printing.lines import HEADING, Line, heading
from embedclf.printing.multilabel import REST
from embedclf.printing.tables import table, with_interval

if TYPE_CHECKING:
    from embedclf.evaluation.cross_validation import CrossValidation
    from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation

    _Result: TypeAlias = CrossValidation | MultiLabelCrossValidation

_NAMES = {"micro_f1": "micro-F1", "macro_f1": "macro-F1"}


def cross_validation_lines(result: "CrossValidation", rest: str = REST) -> list[Line]:
    """Return a cross-validation as lines: metrics, one line per fold, then the figures of each label."""
    report = result.report
    measured: list[Line] = [
        [(f"accuracy           {with_interval(result.accuracy, result.accuracy_interval)}", HEADING)],
        *likeliest_lines(report.answers),
        *figures.baseline_lines(report),
        *answer_lines(report.answers),
        f"macro-F1           {with_interval(result.macro_f1, result.macro_f1_interval)}",
        f"log loss           {result.log_loss:.3f}",
        f"calibration error  {result.ece:.3f}  (ECE)",
    ]
    return _lines(result, measured, figures.level_lines(report), figures.label_lines(report, rest))


def multilabel_cross_validation_lines(result: "MultiLabelCrossValidation", rest: str = REST) -> list[Line]:
    """Return a cross-validation as lines; see `cross_validation_lines`."""
    report = result.report
    measured: list[Line] = [
        [(f"micro-F1           {with_interval(result.micro_f1, result.micro_f1_interval)}", HEADING)],
        *multilabel.baseline_lines(report.baseline),
        f"macro-F1           {with_interval(result.macro_f1, result.macro_f1_interval)}",
        f"exact match        {with_interval(result.exact_match, result.exact_match_interval)}",
        *likeliest_lines(report.answers, several=True),
        *answer_lines(report.answers),
        f"labels per text    {report.labels_per_text:.2f}, predicted {report.predicted_labels_per_text:.2f}",
        f"calibration error  {result.ece:.3f}  (ECE, of the probabilities of all labels)",
    ]
    return _lines(result, measured, [], [*multilabel.label_lines(report, rest), *multilabel.pair_lines(report)])


def described(result: "_Result") -> str:
    """Return how rows were cross-validated."""
    repeats = "" if result.n_repeats == 1 else f", {result.n_repeats} repeats"
    return f"{result.n_folds}-fold cross-validation{repeats}"


def fold_cells(result: "_Result") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the folds."""
    names = result.folds[0]._fields[3:]
    header = ["repeat", "fold", "rows", *(_NAMES.get(name, name.replace("_", " ")) for name in names)]
    rows = [
        [str(one.repeat), str(one.fold), f"{one.n_examples:,}", *(f"{getattr(one, name):.3f}" for name in names)]
        for one in result.folds
    ]
    return header, rows


def _lines(
    result: "_Result", measured: Sequence[Line], of_levels: Sequence[Line], of_labels: Sequence[Line]
) -> list[Line]:
    lines: list[Line] = [f"rows               {result.n_examples:,} ({described(result)})", *measured]
    if n := result.n_always_fitted:
        rows_left = "1 row," if n == 1 else f"{n:,} rows, each"
        lines.append(f"not measured       {rows_left} the only text of its label: always used for training")
    header, rows = fold_cells(result)
    skipped = 1 if result.n_repeats == 1 else 0
    of_folds = table(header[skipped:], [row[skipped:] for row in rows], left=())
    first: list[Line] = [heading("Labels in the first repeat:")] if skipped == 0 else []
    return [*lines, "", *of_folds, *of_levels, "", *first, *of_labels]
