"""Findings in labelled texts as lines: in full for ``check``, one line per kind for ``train``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedclf.formatting import counted
from embedclf.missing import has_something_to_read
from embedclf.printing.lines import DIM, HEADING, PLAIN, RIGHT, WARNING, WRONG, Line, Piece, Style, pieces_of, width_of
from embedclf.printing.tables import Places, place_of, shortened, shown_label, table
from embedclf.quality.wording import ABOUT_LABELS, advice_on, title_of

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.quality.findings import DataCheck, Finding, Other

_MOST_SHOWN = 5
_MOST_PLACES = 3
_TEXT_WIDTH = 66
_DETAIL_WIDTH = 300
_OF_SEVERITY: dict[str, Style] = {"error": {**WRONG, **HEADING}, "warning": {**WARNING, **HEADING}}


def finding_lines(
    result: "DataCheck", corpus: Places, against: Places | None, *, in_python: bool = False
) -> list[Line]:
    """Return each kind of finding with its first examples and advice, then the diversity of the texts, as lines.

    Parameters
    ----------
    result : DataCheck
    corpus, against : Places
        Where the rows are.
    in_python : bool
        Whether they are printed by a program, which does not have the options of the command.
    """
    lines: list[Line] = []
    for severity in ("error", "warning"):
        of_severity = [finding for finding in result.findings if finding.severity == severity]
        for kind, findings in _by_kind(of_severity).items():
            advice = advice_on(kind, len(findings), in_python=in_python, of_several=result.label_separator is not None)
            lines += [*_of_kind(kind, findings, corpus, against, advice, in_python=in_python), ""]
    lines += _diversity(result)
    if not result.findings:
        but = "; some checks were skipped" if result.not_checked else ""
        return [*lines, [(f"No problems found in {counted(result.n_rows, 'row')}{but}.", RIGHT)]]
    warnings = counted(result.n_warnings, "warning")
    numbers = f"No definite errors; {warnings}."
    if result.n_errors:
        numbers = f"{counted(result.n_errors, 'error')}, {warnings}. Fix the errors before training."
    return [*lines, [(numbers, _OF_SEVERITY["error"] if result.n_errors else HEADING)]]


def findings_record(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> dict[str, Any]:
    """Return all findings as plain types for JSON, with the file and line of each row."""
    shown = result.to_dict()
    for kind in {one.kind for one in result.findings}:
        for one, finding in zip(result.of(kind), shown[kind], strict=True):
            if finding["row"] is not None:
                finding["line"] = corpus.lines[finding["row"]]
            if corpus.files:
                finding["file"] = one.file if finding["row"] is None else corpus.file(finding["row"])
            for other in finding["others"]:
                of = against if other.pop("in_against") and against is not None else corpus
                other |= {"file": of.file(other["row"]), "line": of.lines[other["row"]]}
    return shown


def short_lines(findings: "Sequence[Finding]", corpus: Places) -> list[str]:
    """Return one line per kind of finding: how many, and the first places."""
    lines = []
    for kind, of_kind in _by_kind(findings).items():
        first = of_kind[:_MOST_PLACES]
        more = " …" if len(of_kind) > _MOST_PLACES else ""
        title = title_of(kind, len(of_kind))
        if kind == "garbled":
            places = [_place_of(one, corpus)[0] for one in first]
            others = f"{', '.join(places[1:])}{more}" if places[1:] else ""
            lines.append(
                f"{title}: {shortened(first[0].text, _TEXT_WIDTH)!r} {first[0].detail} ({places[0]})"
                f"{f'; also {others}' if others else ''}"
            )
        elif kind in ABOUT_LABELS:
            labels = ", ".join(f"{shown_label(one.label)} ({shortened(one.detail, _DETAIL_WIDTH)})" for one in first)
            lines.append(f"{title}: {labels}{more}")
        elif kind == "placeholders":
            words = ", ".join(f"{one.detail} ({_places_of(one, corpus)})" for one in first)
            lines.append(f"{title}: {words}{more}. {advice_on(kind, len(of_kind))}")
        else:
            lines.append(f"{title} ({', '.join(_place_of(one, corpus)[0] for one in first)}{more})")
    return lines


def _by_kind(findings: "Sequence[Finding]") -> "dict[str, list[Finding]]":
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    return by_kind


def _places_of(finding: "Finding", corpus: Places) -> str:
    """Return the first places of a finding about several rows."""
    rows = [finding.row or 0, *(other.row for other in finding.others)]
    more = ", …" if len(rows) > _MOST_PLACES else ""
    return ", ".join(place_of(row, corpus)[0] for row in rows[:_MOST_PLACES]) + more


def _place_of(finding: "Finding", corpus: Places) -> Piece:
    if finding.row is not None:
        return place_of(finding.row, corpus)
    return f"{finding.file or corpus.name}:{finding.line}".removeprefix(corpus.name), DIM


def _of_kind(
    kind: str, findings: "Sequence[Finding]", corpus: Places, against: Places | None, advice: str, *, in_python: bool
) -> list[Line]:
    severity = findings[0].severity
    title = [(f"{severity.capitalize()}:", _OF_SEVERITY[severity]), (f" {title_of(kind, len(findings))}", HEADING)]
    lines: list[Line] = [title, f"  {advice}"]
    for finding in findings[:_MOST_SHOWN]:
        lines += [[("    ", PLAIN), *pieces_of(line)] for line in _of_finding(finding, corpus, against)]
    if len(findings) > _MOST_SHOWN:
        rest = "to_frame() has all" if in_python else "--output FILE or --json has all"
        lines.append(f"    … {len(findings) - _MOST_SHOWN:,} more ({rest})")
    return lines


def _of_finding(finding: "Finding", corpus: Places, against: Places | None) -> list[Line]:
    place, label = _place_of(finding, corpus), shown_label(finding.label)
    detail = shortened(finding.detail, _DETAIL_WIDTH)
    used = 4 + len(place[0]) + 2
    row = _labelled(label, finding.text, used)
    if finding.kind in ABOUT_LABELS:
        return [[place, (f"  {label}: {detail}", PLAIN)]]
    if finding.kind == "placeholders":
        return [[place, (f"  {detail}{f' ({_places_of(finding, corpus)})' if finding.others else ''}", PLAIN)]]
    if finding.kind == "label_errors" and finding.detail.startswith("probably "):  # of several labels
        used += width_of(f"labelled {label or 'nothing'}, {detail}: ")
        text = shortened(finding.text, _TEXT_WIDTH, beside=used)
        return [[place, ("  labelled ", PLAIN), (label or "nothing", WRONG), (f", {detail}: {text}", PLAIN)]]
    if finding.kind == "label_errors":
        predicted = shown_label(finding.suggested or "")
        used += width_of(f"labelled {label}, predicted {predicted} ({detail}): ")
        text = shortened(finding.text, _TEXT_WIDTH, beside=used)
        said = [("  labelled ", PLAIN), (label, WRONG), (", predicted ", PLAIN), (predicted, RIGHT)]
        return [[place, *said, (f" ({detail}): {text}", PLAIN)]]
    if finding.kind == "language":
        return [
            [place, (f"  {detail}: {shortened(finding.text, _TEXT_WIDTH, beside=used + width_of(detail) + 2)}", PLAIN)]
        ]
    others = [(other, _place_of_other(other, corpus, against)) for other in finding.others]
    if finding.kind in ("duplicates", "leakage"):
        other, where = others[0]
        differs = f" {shown_label(other.label)}" if finding.label and other.label not in ("", finding.label) else ""
        same = f", same text as {where[0]}{differs}  "
        row = _labelled(label, finding.text, used - 2 + width_of(same))
        return [[place, (f"{same}{row}", PLAIN)]]
    if finding.kind in ("near_duplicates", "near_leakage"):
        other, where = others[0]
        own: Line = [place, (f"  {row}", PLAIN)]
        return [own, _beside(f"{detail}: ", where, other)]
    if finding.kind in ("empty", "malformed"):
        rest = row if has_something_to_read(finding.text) else label
        return [[place, (f"  {detail}: {rest}" if rest else f"  {detail}", PLAIN)]]
    lines: list[Line] = [[place, (f"  {row}", PLAIN)], *([f"  {detail}"] if detail else [])]
    if finding.kind == "anomalies":
        lines += [_beside(f"{other.similarity:.2f}  ", where, other) for other, where in others]
    return lines


def _beside(before: str, where: Piece, other: "Other") -> Line:
    """Return a line about another row."""
    row = _labelled(shown_label(other.label), other.text, 6 + width_of(before + where[0]) + 2)
    return [(f"  {before}", PLAIN), where, (f"  {row}", PLAIN)]


def _labelled(label: str, text: str, used: int) -> str:
    """Return a label and a text, beside `used` columns."""
    before = f"{label}: " if label else ""
    return before + shortened(text, _TEXT_WIDTH, beside=used + width_of(before))


def _place_of_other(other: "Other", corpus: Places, against: Places | None) -> Piece:
    if other.in_against and against is not None:
        return against.place(other.row), DIM
    return place_of(other.row, corpus)


def _diversity(result: "DataCheck") -> list[Line]:
    whole = result.diversity
    if whole is None or whole.mean_distance is None:
        return []
    lines: list[Line] = [
        f"Diversity: Vendi score {whole.vendi:,.1f} ({counted(whole.n, 'text')} as varied as "
        f"{counted(round(whole.vendi), 'unrelated one')}); mean cosine distance {whole.mean_distance:.2f}"
    ]
    least = sorted(
        (one.mean_distance, label) for label, one in result.diversity_by_label.items() if one.mean_distance is not None
    )[:_MOST_SHOWN]
    if len(result.diversity_by_label) > 1 and least:
        rows = []
        for distance, label in least:
            one = result.diversity_by_label[label]
            rows.append([shown_label(label), f"{one.n:,}", f"{one.vendi:,.1f}", f"{distance:.2f}"])
        header = ["least diverse labels", "texts", "Vendi score", "mean distance"]
        lines += table(header, rows, indent=2)
    return [*lines, ""]
