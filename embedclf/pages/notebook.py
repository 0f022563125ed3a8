"""Results as HTML for a cell of a notebook: the main figures as tiles, then a table or the confusion matrix.

There are no scripts. Everything that comes from texts is escaped. Colours are those of the notebook, whether light or
dark: shades are transparent, and borders take the colour of the text.
"""

from collections.abc import Iterable, Sequence
from functools import singledispatch
from html import escape

from embedclf.classifier.explanation import Explanation
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.spending import Spending
from embedclf.evaluation.comparison import Comparison
from embedclf.evaluation.cross_validation import CrossValidation
from embedclf.evaluation.learning import LearningCurve
from embedclf.evaluation.model_diff import ModelDiff
from embedclf.evaluation.multilabel_cross_validation import MultiLabelCrossValidation
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.evaluation.report import Report
from embedclf.evaluation.retraining_result import Retraining
from embedclf.exploration.clustering import Clustering
from embedclf.exploration.drift_result import Drift
from embedclf.exploration.projection import N_NEAREST, TextMap
from embedclf.exploration.recommendation import Recommendation
from embedclf.exploration.retrieval import SearchResult
from embedclf.exploration.suggestions import Suggestions
from embedclf.formatting import counted, shown_confidence, shown_interval, shown_share, shown_shares, shown_threshold
from embedclf.pages.names import distinct_names
from embedclf.pages.row_list import shaded_text
from embedclf.pages.verdict import weakest_first
from embedclf.prediction.predict_files import FilePrediction
from embedclf.printing.cross_validation import described, fold_cells
from embedclf.printing.diffs import diff_tables, summary_of_rows
from embedclf.printing.diffs import verdicts_of as verdicts_of_diff
from embedclf.printing.drifted import reasons_of
from embedclf.printing.drifted import verdict_of as verdict_of_drift
from embedclf.printing.figures import names_of_upper_levels, upper_levels
from embedclf.printing.retrained import (
    cells_of,
    tables_of,
    verdict_of,
    verdicts_of,
)
from embedclf.printing.spending import saved_by, spending_cells, spent_by
from embedclf.printing.tables import in_one_line, shortened, shown_label
from embedclf.quality.findings import DataCheck
from embedclf.quality.wording import name_of

_MOST_LABELS = 15
_MOST_ROWS = 20
# A cell with more characters may be broken into lines.
_MOST_IN_LINE = 40
_MOST_CHARACTERS = 2_000
_STYLE = """<style>
.embedclf{font-size:13px;line-height:1.45}
.embedclf .tiles{display:flex;flex-wrap:wrap;gap:8px;margin:4px 0 10px}
.embedclf .tile{border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:6px 12px;min-width:96px}
.embedclf .tile b{display:block;font-size:20px;font-weight:600}
.embedclf .dim{opacity:.7}
.embedclf .wide{overflow-x:auto;margin:4px 0 10px}
.embedclf .wide table{border-collapse:collapse;width:auto;margin:0;font-size:inherit}
.embedclf .wide table td,.embedclf .wide table th{padding:2px 8px;text-align:right;vertical-align:top}
.embedclf .wide table td,.embedclf .wide table th{background:none;border:0;color:inherit;white-space:nowrap}
.embedclf .wide table thead th{font-weight:600;border-bottom:1px solid rgba(128,128,128,.4)}
.embedclf .wide table tbody td{border-bottom:1px solid rgba(128,128,128,.15)}
.embedclf .wide table .left{text-align:left}
.embedclf .wide table .long{white-space:normal;min-width:240px}
.embedclf .wide .matrix td{text-align:center;min-width:20px;padding:2px 4px;border:1px solid rgba(128,128,128,.15)}
.embedclf .wide .matrix .up{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:8px 2px}
.embedclf .wide .matrix .of{font-weight:400}
.embedclf .text{white-space:pre-line}
.embedclf mark{color:inherit;background:none;border-radius:3px}
.embedclf .for1{background:rgba(56,139,253,.15)}
.embedclf .for2{background:rgba(56,139,253,.33)}
.embedclf .for3{background:rgba(56,139,253,.55)}
.embedclf .against1{background:rgba(245,138,60,.15)}
.embedclf .against2{background:rgba(245,138,60,.33)}
.embedclf .against3{background:rgba(245,138,60,.55)}
</style>"""

Tile = tuple[str, str, str]


@singledispatch
def notebook_html(result: object) -> str:
    """Return a result as HTML for a cell of a notebook."""
    raise NotImplementedError(type(result).__name__)


@notebook_html.register
def _(result: Report) -> str:
    tiles = [
        ("accuracy", f"{result.accuracy:.3f}", shown_interval(result.accuracy_interval)),
        ("macro-F1", f"{result.macro_f1:.3f}", shown_interval(result.macro_f1_interval)),
        ("calibration error", f"{result.ece:.3f}", "ECE"),
        ("rows", f"{result.n_examples:,}", f"{len(result.wrong):,} misclassified"),
    ]
    if (answered := result.answered) is not None and result.threshold is not None:
        name = f"coverage at threshold {shown_threshold(result.threshold)}"
        tiles.append((name, shown_share(answered.coverage), shown_shares(answered.coverage_interval)))
        if answered.accuracy is not None and answered.accuracy_interval is not None:
            interval = shown_interval(answered.accuracy_interval)
            tiles.append(("accuracy on these", f"{answered.accuracy:.3f}", interval))
    if (baseline := result.baseline) is not None:
        tiles.insert(1, ("baseline", f"{baseline.accuracy:.3f}", f"always {shown_label(baseline.label)}"))
    return _cell(_tiles(tiles), _matrix(result), _folded("Figures of each label", _labels(result)))


@notebook_html.register
def _(result: MultiLabelReport) -> str:
    tiles = [
        ("micro-F1", f"{result.micro_f1:.3f}", shown_interval(result.micro_f1_interval)),
        ("macro-F1", f"{result.macro_f1:.3f}", shown_interval(result.macro_f1_interval)),
        ("exact match", f"{result.exact_match:.3f}", shown_interval(result.exact_match_interval)),
        ("calibration error", f"{result.ece:.3f}", "ECE"),
        ("labels per text", f"{result.labels_per_text:.2f}", f"{result.predicted_labels_per_text:.2f} predicted"),
        ("rows", f"{result.n_examples:,}", f"{len(result.wrong):,} with wrong labels"),
    ]
    if (label := result.baseline.label) is not None:
        tiles.insert(1, ("baseline", f"{result.baseline.micro_f1:.3f}", f"always {shown_label(label)}"))
    return _cell(_tiles(tiles), _labels_of_several(result))


@notebook_html.register
def _(result: MultiLabelCrossValidation) -> str:
    tiles = [
        ("micro-F1", f"{result.micro_f1:.3f}", shown_interval(result.micro_f1_interval)),
        ("macro-F1", f"{result.macro_f1:.3f}", shown_interval(result.macro_f1_interval)),
        ("exact match", f"{result.exact_match:.3f}", shown_interval(result.exact_match_interval)),
        ("calibration error", f"{result.ece:.3f}", "ECE"),
        ("rows", f"{result.n_examples:,}", described(result)),
    ]
    folds = _table(*fold_cells(result), left=0)
    return _cell(_tiles(tiles), folds, _folded("Figures of each label", _labels_of_several(result.report)))


@notebook_html.register
def _(result: CrossValidation) -> str:
    tiles = [
        ("accuracy", f"{result.accuracy:.3f}", shown_interval(result.accuracy_interval)),
        ("macro-F1", f"{result.macro_f1:.3f}", shown_interval(result.macro_f1_interval)),
        ("calibration error", f"{result.ece:.3f}", "ECE"),
        ("rows", f"{result.n_examples:,}", described(result)),
    ]
    folds = _table(*fold_cells(result), left=0)
    return _cell(_tiles(tiles), folds, _folded("Confusion matrix", _matrix(result.report)))


@notebook_html.register
def _(result: LearningCurve) -> str:
    rows = [
        [f"{one.n_labels:,}", f"{one.score:.3f}", shown_interval(one.interval), *upper_levels(one), str(one.n_draws)]
        for one in result.points
    ]
    levels = names_of_upper_levels(result.points[-1])
    table = _table(["training rows", result.metric, "95 % interval", *levels, "runs"], rows, left=0)
    return _cell(table, _paragraph(result.verdict))


@notebook_html.register
def _(result: Comparison) -> str:
    best = result.candidates[0]
    tiles = [
        ("best", best.name, f"{best.head}, {best.features}"),
        (result.metric, f"{best.score.value:.3f}", shown_interval(best.score.interval)),
        ("rows", f"{result.n_examples:,}", f"{result.n_folds} folds"),
    ]
    rows = [
        [
            one.name,
            one.head,
            one.features,
            f"{one.dimensions:,}" if one.dimensions else "–",
            f"{one.score.value:.3f}",
            shown_interval(one.score.interval),
            *upper_levels(one),
            "best" if one is best else f"{one.difference:z.3f}",
        ]
        for one in result.candidates
    ]
    header = [
        *("embedder", "head", "features", "dimensions", result.metric, "95 % interval"),
        *(*names_of_upper_levels(best), "difference from best"),
    ]
    return _cell(_tiles(tiles), _table(header, rows, left=3))


@notebook_html.register
def _(result: Retraining) -> str:
    header, rows = cells_of(result)
    shown = [_table(header, rows, left=2) if rows else ""]
    shown += [_table(*cells, left=1) for cells in tables_of(result)]
    return _cell(*shown, _paragraph(" ".join(verdicts_of(result) if result.by_rows else [verdict_of(result)])))


@notebook_html.register
def _(result: ModelDiff) -> str:
    said = [*verdicts_of_diff(result), summary_of_rows(result)]
    return _cell(_paragraph(" ".join(said)), *(_table(*cells, left=1) for cells in diff_tables(result)))


@notebook_html.register
def _(result: DataCheck) -> str:
    tiles = [
        ("rows", f"{result.n_rows:,}", counted(result.n_labels, "label")),
        ("errors", f"{result.n_errors:,}", ""),
        ("warnings", f"{result.n_warnings:,}", ""),
    ]
    rows = [
        [
            name_of(one.kind),
            "" if one.row is None else f"{one.row}",
            shown_label(one.label),
            shown_label(one.suggested or ""),
            shortened(one.text),
            shortened(one.detail),
        ]
        for one in result.findings[:_MOST_ROWS]
    ]
    header = ["kind", "row", "label", "suggested", "text", "detail"]
    return _cell(_tiles(tiles), _table(header, rows, left=6), _more(len(result.findings)))


@notebook_html.register(SearchResult)
@notebook_html.register(Recommendation)
def _(result: SearchResult | Recommendation) -> str:
    rows = [
        [str(hit.row), shown_label(hit.label or ""), shortened(hit.text), f"{hit.similarity:z.3f}"]
        for hit in result.hits[:_MOST_ROWS]
    ]
    text = result.query if isinstance(result, SearchResult) else result.text
    header = ["row", "label", "text", "similarity"]
    if not any(hit.label for hit in result.hits):
        header, rows = [header[0], *header[2:]], [[row[0], *row[2:]] for row in rows]
    table = _table(header, rows, left=len(header) - 1)
    return _cell(_paragraph(f"Most similar to “{shortened(text)}”"), table, _more(len(result.hits)))


@notebook_html.register
def _(result: Clustering) -> str:
    tiles = [
        ("clusters", f"{len(result.clusters):,}", ""),
        ("texts", f"{len(result.assigned):,}", f"{result.n_left_out:,} unassigned"),
    ]
    rows = [
        [one.name, f"{one.size:,}", ", ".join(one.words), shortened(one.central[0].text)]
        for one in result.clusters[:_MOST_ROWS]
    ]
    table = _table(["cluster", "texts", "words", "most central text"], rows, left=4)
    return _cell(_tiles(tiles), table, _more(len(result.clusters)))


@notebook_html.register
def _(result: Drift) -> str:
    rows = [
        [one.name, f"more in {one.more_in}", f"{one.size:,}", ", ".join(one.words), shortened(one.texts[0].text)]
        for one in result.groups[:_MOST_ROWS]
    ]
    table = _table(["group", "where", "rows", "words", "most central text"], rows, left=5) if rows else ""
    said = " ".join([verdict_of_drift(result), *reasons_of(result)])
    return _cell(_paragraph(said), table, _more(len(result.groups)))


@notebook_html.register
def _(result: Suggestions) -> str:
    rows = [
        [
            str(one.row),
            shortened(one.text),
            f"{shown_label(one.predicted)} ({shown_confidence(one.confidence)})",
            f"{shown_label(one.runner_up)} ({shown_confidence(one.runner_up_confidence)})",
        ]
        for one in result.rows[:_MOST_ROWS]
    ]
    table = _table(["row", "text", "predicted", "runner-up"], rows, left=4)
    about = f"{counted(len(result.rows), 'row')} to label next, of {result.n_texts:,}"
    return _cell(_paragraph(about), table, _more(len(result.rows)))


@notebook_html.register
def _(result: TextMap) -> str:
    kept = result.neighbours_kept
    tiles: list[Tile] = [("texts", f"{len(result.texts):,}", result.method)]
    if kept is not None:
        tiles.append(("preserved", shown_share(kept), f"of {N_NEAREST} nearest neighbours"))
    return _cell(_tiles(tiles), _paragraph("to_html(path) draws the map."))


@notebook_html.register
def _(result: TextClassifier) -> str:
    card = result.card
    rows = "no training rows, not measured" if card.is_of_labels_alone else f"{card.n_examples:,} training rows"
    tiles = [("classes", f"{len(result.classes):,}", rows)]
    held = card.held_out
    if held is not None and held.micro_f1 is not None:
        tiles += [
            ("held-out micro-F1", f"{held.micro_f1:.3f}", counted(held.n_examples, "row")),
            ("macro-F1", f"{held.macro_f1:.3f}", ""),
            ("exact match", f"{held.accuracy:.3f}", ""),
            ("calibration error", f"{held.ece:.3f}", "ECE"),
        ]
        if held.labels_per_text is not None:
            predicted = f"{held.predicted_labels_per_text:.2f} predicted"
            tiles.append(("labels per text", f"{held.labels_per_text:.2f}", predicted))
    elif held is not None:
        tiles += [
            ("held-out accuracy", f"{held.accuracy:.3f}", counted(held.n_examples, "row")),
            *(
                []
                if held.baseline_accuracy is None
                else [("baseline", f"{held.baseline_accuracy:.3f}", "commonest label")]
            ),
            ("macro-F1", f"{held.macro_f1:.3f}", ""),
            ("calibration error", f"{held.ece:.3f}", "ECE"),
        ]
    if card.threshold is not None:
        tiles.append(("abstains below", shown_threshold(card.threshold), ""))
    if card.multilabel is not None:
        least, most = (f"{end(card.multilabel.thresholds):.2f}" for end in (min, max))
        none = "at least one label" if card.multilabel.at_least_one else "a text may have none"
        tiles.append(("thresholds", least if least == most else f"{least} to {most}", none))
    classes = _paragraph(", ".join(map(shown_label, result.classes)))
    if len(result.classes) > _MOST_LABELS:
        classes = _folded("Classes", classes)
    return _cell(_tiles(tiles), _paragraph(f"{card.head.capitalize()} on {result.features}"), classes)


@notebook_html.register
def _(result: Explanation) -> str:
    tiles = [
        ("label", result.label, f"confidence {shown_confidence(result.confidence)}"),
        ("runner-up", result.runner_up, f"confidence {shown_confidence(result.runner_up_confidence)}"),
    ]
    text = f'<p class="text" dir="auto">{shaded_text(result.text, result.spans, _MOST_CHARACTERS)}</p>'
    note = "Words in blue support the label, words in orange the runner-up."
    if result.vector:
        note += f" The embedding as a whole adds {result.vector:+.2f}."
    rows = [
        [side, f"{one.row:,}", shown_label(one.label), shortened(one.text), f"{one.similarity:z.3f}"]
        for side, neighbours in (("for", result.supporting), ("against", result.opposing))
        for one in neighbours
    ]
    header = ["", "train row", "label", "text", "similarity"]
    near = _table(header, rows, left=4) if rows else ""
    return _cell(_tiles(tiles), text, f'<p class="dim">{_escaped(note)}</p>', near)


@notebook_html.register
def _(result: FilePrediction) -> str:
    before = f"{result.rows_before:,} by an earlier run" if result.rows_before else ""
    tiles = [
        ("rows", f"{result.rows:,}", before),
        ("not classified", f"{result.n_faults:,}", ""),
        ("seconds", f"{result.seconds:,.1f}", ""),
    ]
    rows = [[str(fault.line), fault.reason] for fault in result.faults]
    remark = None if result.shift is None else result.shift.remark
    note = "" if remark is None else f'<p class="dim">{_escaped(remark)}</p>'
    return _cell(_tiles(tiles), note, _table(["line", "reason"], rows, left=2) if rows else "")


@notebook_html.register
def _(result: Spending) -> str:
    total = result.total
    tiles = [
        ("spent", spent_by(total), ""),
        ("requests", f"{total.usage.requests:,}", counted(total.usage.tokens, "token")),
        ("from cache", f"{total.usage.from_cache:,}", f"saved {saved_by(total)}"),
    ]
    header, *rows, _ = spending_cells(result)
    return _cell(_tiles(tiles), _table(header, rows, left=1) if rows else "")


def _cell(*parts: str) -> str:
    return f'{_STYLE}<div class="embedclf">{"".join(parts)}</div>'


def _escaped(text: str) -> str:
    return escape(in_one_line(text))


def _tiles(tiles: Iterable[Tile]) -> str:
    shown = "".join(
        f'<div class="tile"><span class="dim">{_escaped(name)}</span><b>{_escaped(figure)}</b>'
        f'<span class="dim">{_escaped(remark)}</span></div>'
        for name, figure, remark in tiles
    )
    return f'<div class="tiles">{shown}</div>'


def _paragraph(text: str) -> str:
    return f"<p>{_escaped(text)}</p>"


def _more(n: int) -> str:
    return _paragraph(f"The first {_MOST_ROWS} of {n:,}; to_frame() has all.") if n > _MOST_ROWS else ""


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{_escaped(summary)}</summary>{content}</details>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    """Return a table; the first `left` columns are words, the others numbers."""

    def row_of(cells: Sequence[str], tag: str) -> str:
        shown = ""
        for number, cell in enumerate(cells):
            kind = "left long" if len(cell) > _MOST_IN_LINE else "left" if number < left else ""
            shown += f'<{tag} class="{kind}">{_escaped(cell)}</{tag}>' if kind else f"<{tag}>{_escaped(cell)}</{tag}>"
        return f"<tr>{shown}</tr>"

    body = "".join(row_of(row, "td") for row in rows)
    return f'<div class="wide"><table><thead>{row_of(header, "th")}</thead><tbody>{body}</tbody></table></div>'


def _labels(report: Report) -> str:
    ordered = [(name, report.per_class[name]) for name in weakest_first(report) if name in report.per_class]
    rows = [
        [shown_label(name), f"{one.f1:.3f}", f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.support:,}"]
        for name, one in ordered
    ]
    return _table(["label", "F1", "precision", "recall", "rows"], rows, left=1)


def _labels_of_several(report: MultiLabelReport) -> str:
    shown = report.weakest_first[:_MOST_LABELS]
    header = ["label", "F1", "precision", "95 % interval", "recall", "95 % interval", "rows", "predicted"]
    rows = []
    for name in shown:
        one = report.per_label[name]
        precision, recall = (
            "–" if ends is None else shown_interval(ends) for ends in (one.precision_interval, one.recall_interval)
        )
        shares = f"{one.precision:.3f}", precision, f"{one.recall:.3f}", recall
        rows.append([shown_label(name), f"{one.f1:.3f}", *shares, f"{one.support:,}", f"{one.n_predicted:,}"])
    n = len(report.per_label)
    more = _paragraph(f"The {len(shown)} weakest of {n:,} labels; to_frame() has all.") if n > len(shown) else ""
    return _table(header, rows, left=1) + more


def _matrix(report: Report) -> str:
    """Return the confusion matrix of the weakest labels; shades are shares of a label's rows."""
    counts, n = report.confusion_matrix, len(report.classes)
    numbers = {name: number for number, name in enumerate(report.classes)}
    shown = [numbers[name] for name in weakest_first(report) if name in numbers][:_MOST_LABELS]
    names = [_escaped(name) for name in distinct_names([report.classes[i] for i in shown])]
    head = "".join(f'<th class="up">{name}</th>' for name in names)
    body = ""
    for name, i in zip(names, shown, strict=True):
        cells = "".join(_cell_of_matrix(counts[i][j], sum(counts[i]), right=i == j) for j in shown)
        body += f'<tr><th class="of">{name}</th>{cells}</tr>'
    of_all = f"; the {_MOST_LABELS} weakest of {n:,} labels" if n > _MOST_LABELS else ""
    note = f'<p class="dim">Rows are true labels, columns predicted labels, the weakest first{of_all}.</p>'
    table = f'<table class="matrix"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'{note}<div class="wide">{table}</div>'


def _cell_of_matrix(count: int, of_label: int, *, right: bool) -> str:
    if not count:
        return "<td></td>"
    colour, shade = ("29,110,201" if right else "211,102,20"), 0.12 + 0.5 * count / of_label
    return f'<td style="background:rgba({colour},{shade:.2f})">{count:,}</td>'
