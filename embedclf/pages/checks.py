"""The page of a check of labelled texts."""

from collections import Counter
from pathlib import Path

from embedclf.formatting import counted
from embedclf.pages.rendering import Facts, Heading, Section, render, table
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.quality.findings import KINDS, DataCheck, Finding
from embedclf.quality.wording import ABOUT_LABELS, SKIPPED, advice_on, name_of, number_of

# More would make a page that no browser is quick with.
_MOST_ROWS = 3_000
# A word that may stand for a missing value may be in thousands of rows.
_MOST_OTHERS = 20


def check_page(
    result: DataCheck,
    title: str,
    place: RowPlace | None = None,
    against_place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of a check.

    Parameters
    ----------
    result : DataCheck
    title : str
    place, against_place : callable, optional
        Return the origins of the rows, and of those that they were checked against, as `file:line`; None does not show
        them.
    facts : sequence of (str, str)
        What was checked, and how.
    note : str
        A remark to show at the top.
    """
    tiles = [
        ("rows", f"{result.n_rows:,}", counted(result.n_labels, "label") if result.n_labels else ""),
        ("errors", f"{result.n_errors:,}", "definitely wrong" if result.n_errors else ""),
        ("warnings", f"{result.n_warnings:,}", "to be looked at" if result.n_warnings else ""),
    ]
    if (whole := result.diversity) is not None and whole.mean_distance is not None:
        tiles.append(("diversity (Vendi score)", f"{whole.vendi:,.1f}", f"mean distance {whole.mean_distance:.2f}"))
    sections = [*_kinds(result), *_rows(result, place, against_place), *_diversity(result)]
    return render(Heading(title, _verdict(result), tiles, facts, note), sections)


def _verdict(result: DataCheck) -> list[str]:
    rows = counted(result.n_rows, "row")
    skipped = [SKIPPED[kind] for kind in result.not_checked]
    said = [f"Not checked: {', '.join(skipped)}."] if skipped else []
    if not result.findings:
        return [f"No problems found in {rows}.", *said]
    found = f"{counted(result.n_errors, 'error')} and {counted(result.n_warnings, 'warning')} in {rows}."
    end = "Fix the errors before training." if result.n_errors else "Nothing is definitely wrong."
    kinds = [number_of(kind, len(result.of(kind))) for kind in KINDS if result.of(kind)]
    return [f"{found} {end}", f"{'; '.join(kinds)}.", *said]


def _kinds(result: DataCheck) -> list[Section]:
    rows = []
    for kind in KINDS:
        if findings := result.of(kind):
            advice = advice_on(kind, len(findings), of_several=result.label_separator is not None)
            rows.append([findings[0].severity, number_of(kind, len(findings)), advice])
    if not rows:
        return []
    return [Section("Problems", parts=[table("Problems", ["severity", "problem", "advice"], rows, left=(0, 1, 2))])]


def _rows(result: DataCheck, place: RowPlace | None, against_place: RowPlace | None) -> list[Section]:
    if not result.findings:
        return []
    findings = result.findings[:_MOST_ROWS]
    left = len(result.findings) - len(findings)
    labels = Counter(name for one in findings for name in (one.label, one.suggested or "") if name)
    order = sorted(labels, key=lambda name: (-labels[name], name))
    kinds = [name_of(kind) for kind in KINDS]
    rows = [
        Listed(
            _place(one, place),
            one.text if one.kind not in ABOUT_LABELS else "",
            (name_of(one.kind), one.label, one.suggested or ""),
            _below(one, place, against_place),
        )
        for one in findings
    ]
    choices = {"problem": kinds, "label": ["", *order], "suggested": ["", *order]}
    note = "The most important problems first." + (f" {left:,} more are left out." if left else "")
    return [Section("Rows", note, [row_list(rows, ["problem", "label", "suggested"], choices, wrong="suggested")])]


def _place(finding: Finding, place: RowPlace | None) -> str:
    if finding.row is None:
        if finding.line is None:
            return ""
        return f"line {finding.line}" if finding.file is None else f"{Path(finding.file).name}:{finding.line}"
    return "" if place is None else place(finding.row)


def _below(finding: Finding, place: RowPlace | None, against_place: RowPlace | None) -> list[tuple[str, str]]:
    compares = finding.kind == "label_errors" and not finding.detail.startswith("probably ")  # of several labels
    detail = f"suggested vs given label: {finding.detail}" if compares else finding.detail
    lines = [(detail, "")] if detail else []
    for other in finding.others[:_MOST_OTHERS]:
        where = against_place if other.in_against else place
        parts = [
            "" if other.similarity is None else f"{other.similarity:.2f}",
            "" if where is None else where(other.row),
            f"{other.label}:" if other.label else "",
        ]
        lines.append((" ".join(filter(None, parts)), other.text))
    return lines


def _diversity(result: DataCheck) -> list[Section]:
    rows = [
        [label, f"{one.n:,}", f"{one.vendi:,.1f}", f"{one.mean_distance:.2f}"]
        for label, one in sorted(result.diversity_by_label.items(), key=lambda pair: pair[1].mean_distance or 0)
        if one.mean_distance is not None
    ]
    if len(rows) < 2:
        return []
    note = (
        "The least diverse labels first: their texts are much alike. A Vendi score is the number of unrelated texts "
        "that would be as varied."
    )
    header = ["label", "texts", "Vendi score", "mean distance"]
    return [Section("Diversity", note, [table("Diversity", header, rows)])]
