"""What the results of a cross-validation have in common, whether texts have one label each or several."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from embedclf.arrays import Vectors
from embedclf.classifier.model_card import Head
from embedclf.data_frames import data_frame
from embedclf.evaluation.multilabel_report import MultiLabelReport
from embedclf.evaluation.report import Report
from embedclf.records import WithPage
from embedclf.stats.intervals import Interval

FoldT = TypeVar("FoldT", bound=NamedTuple)
PredictionT = TypeVar("PredictionT", bound=NamedTuple)
ReportT = TypeVar("ReportT", bound=Report | MultiLabelReport)


@dataclass(frozen=True, slots=True)
class CrossValidated(WithPage, Generic[FoldT, PredictionT, ReportT]):
    """The results of a cross-validation; see `CrossValidation`, which describes the attributes."""

    _MEASURED: ClassVar[tuple[str, ...]]  # the figures that only this kind of result has, the main one first

    n_folds: int
    n_repeats: int
    n_examples: int
    n_always_fitted: int
    head: Head
    ece: float
    folds: tuple[FoldT, ...]
    word_scales: tuple[float, ...]
    predictions: tuple[PredictionT, ...]
    report: ReportT
    classes: tuple[str, ...]
    probabilities_by_repeat: Vectors = field(compare=False)

    @property
    def probabilities(self) -> Vectors:
        """The out-of-fold probability of each label for each text: (n_texts, n_classes), float32; means of the repeats.

        The rows are those of the texts passed in, in their order. A row is NaN if every classifier is fitted on it.
        """
        mean: Vectors = self.probabilities_by_repeat.mean(axis=0)
        return mean

    def to_frame(self) -> Any:
        """Return the figures of each fold as a data frame of pandas, or of Polars if only that is installed."""
        return data_frame([fold._asdict() for fold in self.folds], self.folds[0]._fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the results as plain types for JSON, without the predictions."""
        measured = {name: getattr(self, name) for name in self._MEASURED}
        return {
            "n_folds": self.n_folds,
            "n_repeats": self.n_repeats,
            "n_examples": self.n_examples,
            "n_always_fitted": self.n_always_fitted,
            "head": self.head,
            **{name: list(one) if isinstance(one, Interval) else one for name, one in measured.items()},
            "ece": self.ece,
            "folds": [fold._asdict() for fold in self.folds],
            "word_scales": list(self.word_scales),
            "report": self.report.to_dict(),
        }
