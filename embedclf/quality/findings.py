"""What a check of labelled texts finds: the kinds, how bad they are, and each place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from embedclf.errors import ArgumentError

Severity = Literal["error", "warning"]

KINDS = (
    "malformed",
    "empty",
    "refused",
    "conflicts",
    "leakage",
    "single_class",
    "small_classes",
    "label_errors",
    "label_variants",
    "near_leakage",
    "duplicates",
    "near_duplicates",
    "anomalies",
    "imbalance",
    "too_long",
)
"""In the order in which they are worth a look."""


class Other(NamedTuple):
    """Another row that a finding speaks of.

    Attributes
    ----------
    row : int
    text, label : str
    in_against : bool
        Whether it is a row of the other texts, not of those that are checked.
    similarity : float or None
        Cosine similarity, from −1 to 1; None where the texts are equal, or the row stands for its label.
    """

    row: int
    text: str
    label: str
    in_against: bool = False
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or likely to be.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    severity : {"error", "warning"}
        An error is surely wrong.
    row : int or None
        Which of the texts; of a finding about a label, the first that has it. None for a row that could not be read.
    text, label : str
    detail : str
        What is wrong with it, where the kind does not say all.
    suggested : str or None
        The label that it should have, or is likely to.
    score : float or None
        Of a near-duplicate the likeness (1 is the same); of a label error the probability of the label that it has; of
        an anomaly how far it stands out, in robust standard deviations; of a class how many distinct texts it has; of
        an imbalance the ratio; of a long text its size in bytes.
    others : tuple of Other
        The rows that it repeats or contradicts, or its nearest.
    line : int or None
        Where it stands in a file, for a row that could not be read.
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

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
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
    """How different some texts are.

    Attributes
    ----------
    n : int
        How many texts.
    mean_distance : float or None
        Mean cosine distance of two of them, from 0 (all alike) to about 1; None of fewer than two.
    vendi : float
        The effective number of different texts, from 1 to `n`.
    """

    n: int
    mean_distance: float | None
    vendi: float


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What was found in labelled texts.

    Attributes
    ----------
    n_rows, n_labels : int
    findings : tuple of Finding
        By kind, in the order of `KINDS`; within a kind, what is likeliest or first comes first.
    not_checked : dict of str to str
        Kinds that were not looked for, each with the reason.
    diversity : Diversity or None
        Of all texts; None if there are no vectors of them.
    diversity_by_label : dict of str to Diversity
    """

    n_rows: int
    n_labels: int
    findings: tuple[Finding, ...]
    not_checked: Mapping[str, str] = field(default_factory=dict)
    diversity: Diversity | None = None
    diversity_by_label: Mapping[str, Diversity] = field(default_factory=dict)

    @property
    def n_errors(self) -> int:
        """Findings that are surely wrong."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def n_warnings(self) -> int:
        """Findings that are worth a look."""
        return len(self.findings) - self.n_errors

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind.

        Raises
        ------
        ArgumentError
            If there is no such kind.
        """
        if kind not in KINDS:
            raise ArgumentError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON: the findings of each kind under its name."""
        return {
            "n_rows": self.n_rows,
            "n_labels": self.n_labels,
            "n_errors": self.n_errors,
            "n_warnings": self.n_warnings,
            **{kind: [finding.to_dict() for finding in self.of(kind)] for kind in KINDS},
            "not_checked": dict(self.not_checked),
            "diversity": None if self.diversity is None else self.diversity._asdict(),
            "diversity_by_label": {label: one._asdict() for label, one in self.diversity_by_label.items()},
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put findings in the order of their kinds, each kind's as they come."""
    return tuple(sorted(findings, key=lambda finding: KINDS.index(finding.kind)))
