"""Findings in labelled texts as lines: in full for ``check``, one line per kind for ``train``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedclf.cli.screen import echo
from embedclf.cli.tables import shortened, shown_label, table
from embedclf.formatting import counted
from embedclf.quality.wording import ABOUT_LABELS, WORDS, title_of

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.embedding.base import Embedder
    from embedclf.quality.findings import DataCheck, Finding, Other

_MOST_SHOWN = 5
_MOST_PLACES = 3
_TEXT_WIDTH = 66
_DETAIL_WIDTH = 120


def finding_lines(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    """Return each kind of finding with its first examples and advice, then the diversity of the texts, as lines."""
    lines = []
    for severity in ("error", "warning"):
        of_severity = [finding for finding in result.findings if finding.severity == severity]
        for kind, findings in _by_kind(of_severity).items():
            lines += [*_of_kind(kind, findings, corpus, against), ""]
    lines += _diversity(result)
    if not result.findings:
        but = "; some checks were skipped" if result.not_checked else ""
        return [*lines, f"No problems found in {counted(result.n_rows, 'row')}{but}."]
    end = "Fix the errors before training." if result.n_errors else "No definite errors."
    return [*lines, f"{counted(result.n_errors, 'error')}, {counted(result.n_warnings, 'warning')}. {end}"]


def findings_record(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> dict[str, Any]:
    """Return all findings as plain types for JSON, with the file and line of each row."""
    shown = result.to_dict()
    for kind in {one.kind for one in result.findings}:
        for finding in shown[kind]:
            if finding["row"] is not None:
                finding["line"] = corpus.lines[finding["row"]]
            for other in finding["others"]:
                of = against if other.pop("in_against") and against is not None else corpus
                other |= {"file": of.name, "line": of.lines[other["row"]]}
    return shown


def warn_of_findings(corpus: "Corpus", embedder: "Embedder", command: str) -> None:
    """Warn briefly of problems with texts and labels that can be found without vectors.

    Parameters
    ----------
    corpus : Corpus
    embedder : Embedder
        Decides which texts are too long.
    command : str
        The command that shows all findings.
    """
    from embedclf.quality.findings import in_order
    from embedclf.quality.text_checks import plain_findings

    found = [
        finding
        for finding in in_order(plain_findings(corpus.texts, corpus.labels, embedder=embedder))
        if not (finding.kind == "small_classes" and finding.score == 1)  # the hold-out step warns about these
    ]
    for line in _short_lines(found, corpus):
        echo(f"Warning: {line}", err=True)
    if found:
        echo(f"For details, run {command}", err=True)


def _short_lines(findings: "Sequence[Finding]", corpus: "Corpus") -> list[str]:
    """Return one line per kind of finding: how many, and the first places."""
    lines = []
    for kind, of_kind in _by_kind(findings).items():
        first = of_kind[:_MOST_PLACES]
        more = " …" if len(of_kind) > _MOST_PLACES else ""
        title = title_of(kind, len(of_kind))
        if kind in ABOUT_LABELS:
            labels = ", ".join(f"{shown_label(one.label)} ({_place_of(one, corpus)})" for one in first)
            lines.append(f"{title}: {labels}{more}")
        else:
            lines.append(f"{title} ({', '.join(_place_of(one, corpus) for one in first)}{more})")
    return lines


def _by_kind(findings: "Sequence[Finding]") -> "dict[str, list[Finding]]":
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    return by_kind


def _place_of(finding: "Finding", corpus: "Corpus") -> str:
    if finding.row is None:
        return f"{corpus.name}:{finding.line}"
    return corpus.place(finding.row)


def _of_kind(kind: str, findings: "Sequence[Finding]", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    lines = [f"{findings[0].severity.capitalize()}: {title_of(kind, len(findings))}", f"  {WORDS[kind].advice}"]
    for finding in findings[:_MOST_SHOWN]:
        lines += [f"    {line}" for line in _of_finding(finding, corpus, against)]
    if len(findings) > _MOST_SHOWN:
        lines.append(f"    … {len(findings) - _MOST_SHOWN:,} more (--json shows all)")
    return lines


def _of_finding(finding: "Finding", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    place, label = _place_of(finding, corpus), shown_label(finding.label)
    detail = shortened(finding.detail, _DETAIL_WIDTH)
    row = _labelled(label, finding.text)
    if finding.kind in ABOUT_LABELS:
        return [f"{place}  {label}: {detail}"]
    if finding.kind == "label_errors":
        predicted = shown_label(finding.suggested or "")
        text = shortened(finding.text, _TEXT_WIDTH)
        return [f"{place}  labelled {label}, predicted {predicted} ({detail}): {text}"]
    others = [(other, _place_of_other(other, corpus, against)) for other in finding.others]
    if finding.kind in ("duplicates", "leakage"):
        other, where = others[0]
        differs = f" {shown_label(other.label)}" if finding.label and other.label not in ("", finding.label) else ""
        return [f"{place}, same text as {where}{differs}  {row}"]
    if finding.kind in ("near_duplicates", "near_leakage"):
        other, where = others[0]
        return [f"{place}  {row}", f"  {detail}: {where}  {_labelled(shown_label(other.label), other.text)}"]
    if finding.kind in ("empty", "malformed"):
        rest = row if finding.text.strip() else label
        return [f"{place}  {detail}: {rest}" if rest else f"{place}  {detail}"]
    lines = [f"{place}  {row}", *([f"  {detail}"] if detail else [])]
    if finding.kind == "anomalies":
        lines += [
            f"  {other.similarity:.2f}  {where}  {_labelled(shown_label(other.label), other.text)}"
            for other, where in others
        ]
    return lines


def _labelled(label: str, text: str) -> str:
    shown = shortened(text, _TEXT_WIDTH)
    return f"{label}: {shown}" if label else shown


def _place_of_other(other: "Other", corpus: "Corpus", against: "Corpus | None") -> str:
    return (against if other.in_against and against is not None else corpus).place(other.row)


def _diversity(result: "DataCheck") -> list[str]:
    whole = result.diversity
    if whole is None or whole.mean_distance is None:
        return []
    lines = [
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
        lines += [f"  {line}" for line in table(header, rows)]
    return [*lines, ""]
