"""Findings of a check of labelled texts: their kinds, severities and rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from embedclf.data_frames import data_frame
from embedclf.errors import ArgumentError
from embedclf.formatting import counted
from embedclf.records import WithPage

Severity = Literal["error", "warning"]

KINDS = (
    "malformed",
    "empty",
    "refused",
    "conflicts",
    "leakage",
    "single_class",
    "small_classes",
    "garbled",
    "language",
    "label_errors",
    "label_variants",
    "placeholders",
    "near_leakage",
    "duplicates",
    "near_duplicates",
    "anomalies",
    "imbalance",
    "too_long",
)
"""Kinds of findings, in the order in which they are reported: the most important first."""


_IN_FRAME = ("kind", "severity", "row", "text", "label", "suggested", "score", "detail")


class Other(NamedTuple):
    """Another row that a finding refers to.

    Attributes
    ----------
    row : int
    text, label : str
    in_against : bool
        Whether the row is one of the texts in `against`, not one of the checked texts.
    similarity : float or None
        Cosine similarity, from −1 to 1; None if the texts are equal, or if the row only exemplifies a label.
    """

    row: int
    text: str
    label: str
    in_against: bool = False
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, or a possible problem, of a row or a label.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    severity : {"error", "warning"}
        An error is definitely wrong; a warning may not be.
    row : int or None
        Index of the text; for a finding about a label or a language, of the first text with it. None for a row that
        could not be read.
    text, label : str
    detail : str
        What is wrong, if the kind alone does not say it.
    suggested : str or None
        The label that the row should have, or probably should.
    score : float or None
        For a near-duplicate, its similarity (1 means the same); for a label error, the probability of the current
        label, or of its least probable label if it has several; for an anomaly, its distance in robust standard
        deviations; for a class, its number of distinct texts; for a word that may stand for a missing value, its number
        of rows; for an imbalance, the ratio; for a language, the share of texts in it; for a long text, its size in
        bytes.
    others : tuple of Other
        The rows that this one repeats or contradicts, or its nearest neighbours.
    line : int or None
        Line in the file, for a row that could not be read.
    file : str or None
        Name of the file, for such a row of one of several.
    """

    kind: str
    severity: Severity
    row: int | None
    text: str = ""
    label: str = ""
    detail: str = ""
    suggested: str | None = None
    score: float | None = None
    others: tuple[Other, ...] = ()
    line: int | None = None
    file: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain types, for JSON."""
        return {
            "row": self.row,
            "line": self.line,
            "text": self.text,
            "label": self.label,
            "severity": self.severity,
            "detail": self.detail,
            "suggested": self.suggested,
            "score": self.score,
            "others": [other._asdict() for other in self.others],
        }


class Diversity(NamedTuple):
    """Diversity of a set of texts.

    Attributes
    ----------
    n : int
        Number of texts.
    mean_distance : float or None
        Mean cosine distance over all pairs, from 0 (all the same) to about 1; None for fewer than two texts.
    vendi : float
        Vendi score: the effective number of unrelated texts, from 1 to `n`.
    """

    n: int
    mean_distance: float | None
    vendi: float


@dataclass(frozen=True, slots=True)
class DataCheck(WithPage):
    """Result of a check of labelled texts.

    Attributes
    ----------
    n_rows, n_labels : int
    findings : tuple of Finding
        Sorted by kind, in the order of `KINDS`; within a kind, by likelihood or position.
    not_checked : dict of str to str
        Kinds that were not checked for, each with the reason.
    diversity : Diversity or None
        Diversity of all texts; None if there are no vectors.
    diversity_by_label : dict of str to Diversity
    label_separator : str or None
        What joins the labels of a text in the findings; None if a text has one label.
    """

    n_rows: int
    n_labels: int
    findings: tuple[Finding, ...]
    not_checked: Mapping[str, str] = field(default_factory=dict)
    diversity: Diversity | None = None
    diversity_by_label: Mapping[str, Diversity] = field(default_factory=dict)
    label_separator: str | None = None

    def __repr__(self) -> str:
        found = f"{counted(self.n_errors, 'error')}, {counted(self.n_warnings, 'warning')}"
        return f"<DataCheck: {counted(self.n_rows, 'row')}, {found}>"

    @property
    def n_errors(self) -> int:
        """Number of findings that are definitely wrong."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def n_warnings(self) -> int:
        """Number of findings that are worth checking."""
        return len(self.findings) - self.n_errors

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind.

        Raises
        ------
        ArgumentError
            If the kind is unknown.
        """
        if kind not in KINDS:
            raise ArgumentError(f"unknown kind {kind!r}; expected one of {', '.join(KINDS)}")
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def to_frame(self) -> Any:
        """Return the findings as a data frame of pandas, or of Polars if only that is installed.

        ``other_row`` and ``other_text`` are the first row that a finding refers to.
        """
        rows = [
            {
                **{name: getattr(one, name) for name in _IN_FRAME},
                "other_row": one.others[0].row if one.others else None,
                "other_text": one.others[0].text if one.others else None,
            }
            for one in self.findings
        ]
        return data_frame(rows, (*_IN_FRAME, "other_row", "other_text"))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON, with the findings of each kind under its name."""
        return {
            "n_rows": self.n_rows,
            "n_labels": self.n_labels,
            **({} if self.label_separator is None else {"label_separator": self.label_separator}),
            "n_errors": self.n_errors,
            "n_warnings": self.n_warnings,
            **{kind: [finding.to_dict() for finding in self.of(kind)] for kind in KINDS},
            "not_checked": dict(self.not_checked),
            "diversity": None if self.diversity is None else self.diversity._asdict(),
            "diversity_by_label": {label: one._asdict() for label, one in self.diversity_by_label.items()},
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by kind, in the order of `KINDS`, keeping their order within a kind."""
    return tuple(sorted(findings, key=lambda finding: KINDS.index(finding.kind)))
