"""How what is found in labelled texts is written: in full for ``check``, in a line a kind for ``train``."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.cli.screen import echo
from embedclf.cli.tables import shortened, shown_label, table
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.embedding.base import Embedder
    from embedclf.quality.findings import DataCheck, Finding, Other

_MOST_SHOWN = 5
_MOST_PLACES = 3
_TEXT_WIDTH = 66
_DETAIL_WIDTH = 120


class _Words(NamedTuple):
    """What the findings of a kind have in common: what they are (behind their number), and what to do about them."""

    thing: str
    problem: str
    advice: str


_WORDS = {
    "malformed": _Words("row", "that cannot be read", "Mend them in the file."),
    "empty": _Words(
        "row", "without a text or a label", "Fill them in; --fix FILE writes a copy without the empty texts."
    ),
    "refused": _Words("row", "that the embedder refuses", "Mend or drop them."),
    "conflicts": _Words(
        "row", "with the same text under different labels", "Decide on one label: no classifier can learn both."
    ),
    "leakage": _Words(
        "row", "whose text is in both files", "Drop them from one: on a text that is trained on, nothing is measured."
    ),
    "single_class": _Words("label", "only", "Add texts with another label: there is nothing to tell apart."),
    "small_classes": _Words("label", "with too few texts to learn or to measure", "Add texts, or merge the labels."),
    "label_errors": _Words(
        "label", "that may be wrong, the likeliest first", "Read them, and correct those that are wrong."
    ),
    "label_variants": _Words(
        "label",
        "written like another but for case, spaces or Unicode form",
        "Write them alike, or they are two labels.",
    ),
    "near_leakage": _Words(
        "row", "nearly the same as one of the other file", "Drop copies from one file: they flatter what is measured."
    ),
    "duplicates": _Words(
        "row", "repeating an earlier one", "Drop them, unless they are to count more: --fix FILE writes such a copy."
    ),
    "near_duplicates": _Words(
        "row", "nearly the same as an earlier one", "Drop copies, and see which label is right where they differ."
    ),
    "anomalies": _Words("text", "far from all others, the farthest first", "See whether they belong here."),
    "imbalance": _Words(
        "label", "much rarer than another", "Add texts, and judge a classifier by macro-F1, not by accuracy."
    ),
    "too_long": _Words(
        "text", "longer than the embedder takes well", "Keep the part that decides on the label: a text has one vector."
    ),
}
_ABOUT_LABELS = {"single_class", "small_classes", "label_variants", "imbalance"}

# Gives where a row stands, file:line, of the file itself or of the other one.
_Place = Callable[[int, bool], str]


def finding_lines(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    """Write all kinds that were found, each with its first findings and what to do, and how diverse the texts are."""
    lines = []
    for severity in ("error", "warning"):
        of_severity = [finding for finding in result.findings if finding.severity == severity]
        for kind, findings in _by_kind(of_severity).items():
            lines += [*_of_kind(kind, findings, corpus, against), ""]
    lines += _diversity(result)
    if not result.findings:
        by_far = ", as far as was looked" if result.not_checked else ""
        return [*lines, f"All clear: nothing wrong was found in {counted(result.n_rows, 'row')}{by_far}."]
    end = "Mend the errors before you train." if result.n_errors else "Nothing is surely wrong."
    return [*lines, f"{counted(result.n_errors, 'error')}, {counted(result.n_warnings, 'warning')}. {end}"]


def findings_record(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> dict[str, Any]:
    """Write all that was found as plain types, for JSON, with the file and line of each row."""
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
    """Say in short what is wrong with texts and labels, as far as that is seen without vectors.

    Parameters
    ----------
    corpus : Corpus
    embedder : Embedder
        Which texts are too long for it is told, too.
    command : str
        What shows all of it.
    """
    from embedclf.quality.findings import in_order
    from embedclf.quality.text_checks import plain_findings

    found = [
        finding
        for finding in in_order(plain_findings(corpus.texts, corpus.labels, embedder=embedder))
        if not (finding.kind == "small_classes" and finding.score == 1)  # holding out warns of these
    ]
    for line in _short_lines(found, corpus):
        echo(f"Warning: {line}", err=True)
    if found:
        echo(f"{command} shows all.", err=True)


def _short_lines(findings: "Sequence[Finding]", corpus: "Corpus") -> list[str]:
    """Write a line for each kind that was found: how many, and the first places."""
    lines = []
    for kind, of_kind in _by_kind(findings).items():
        places = ", ".join(_place_of(one, corpus) for one in of_kind[:_MOST_PLACES])
        more = " …" if len(of_kind) > _MOST_PLACES else ""
        lines.append(f"{_title(kind, len(of_kind))} ({places}{more})")
    return lines


def _by_kind(findings: "Sequence[Finding]") -> "dict[str, list[Finding]]":
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    return by_kind


def _title(kind: str, number: int) -> str:
    words = _WORDS[kind]
    return f"{counted(number, words.thing)} {words.problem}"


def _place_of(finding: "Finding", corpus: "Corpus") -> str:
    if finding.row is None:
        return f"{corpus.name}:{finding.line}"
    return corpus.place(finding.row)


def _of_kind(kind: str, findings: "Sequence[Finding]", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    lines = [f"{findings[0].severity.capitalize()}: {_title(kind, len(findings))}", f"  {_WORDS[kind].advice}"]
    for finding in findings[:_MOST_SHOWN]:
        lines += [f"    {line}" for line in _of_finding(finding, corpus, against)]
    if len(findings) > _MOST_SHOWN:
        lines.append(f"    … and {len(findings) - _MOST_SHOWN:,} more, all in --json")
    return lines


def _of_finding(finding: "Finding", corpus: "Corpus", against: "Corpus | None") -> list[str]:
    place, label = _place_of(finding, corpus), shown_label(finding.label)
    detail = shortened(finding.detail, _DETAIL_WIDTH)
    row = _labelled(label, finding.text)
    if finding.kind in _ABOUT_LABELS:
        return [f"{place}  {label}: {detail}"]
    if finding.kind == "label_errors":
        likely = shown_label(finding.suggested or "")
        return [f"{place}  {label}, taken for {likely} ({detail}): {shortened(finding.text, _TEXT_WIDTH)}"]
    others = [(other, _place_of_other(other, corpus, against)) for other in finding.others]
    if finding.kind in ("duplicates", "leakage"):
        other, where = others[0]
        differs = f" {shown_label(other.label)}" if finding.label and other.label not in ("", finding.label) else ""
        return [f"{place}, as {where}{differs}  {row}"]
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
        f"Diversity: {counted(whole.n, 'text')}, as different as {whole.vendi:,.1f} that have nothing in common "
        f"(Vendi score); mean cosine distance {whole.mean_distance:.2f}"
    ]
    least = sorted(
        (one.mean_distance, label) for label, one in result.diversity_by_label.items() if one.mean_distance is not None
    )[:_MOST_SHOWN]
    if len(result.diversity_by_label) > 1 and least:
        rows = []
        for distance, label in least:
            one = result.diversity_by_label[label]
            rows.append([shown_label(label), f"{one.n:,}", f"{one.vendi:,.1f}", f"{distance:.2f}"])
        header = ["the labels with the likest texts", "texts", "Vendi score", "mean distance"]
        lines += [f"  {line}" for line in table(header, rows)]
    return [*lines, ""]
