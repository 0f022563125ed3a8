"""What is known about a trained classifier, which its file holds beside the weights: its settings and its quality."""

import shlex
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from embedclf.classifier.answer_figures import (
    AnswerFigures,
    LabelTarget,
    labels_with_targets,
    own_thresholds,
    plain,
)
from embedclf.classifier.costs import Costs, cost_matrix
from embedclf.classifier.decisions import AnyDecision, Decision, LabelRules, MultiLabelDecision
from embedclf.classifier.hierarchy import hierarchy_of
from embedclf.classifier.label_sets import Conformal
from embedclf.classifier.reference import AnswerReference
from embedclf.classifier.scope import ScopeRule
from embedclf.classifier.training_record import TrainingRecord
from embedclf.data.columns import DEFAULT, Columns, TextColumn
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import ArgumentError

Head = Literal["logistic", "centroid"]
Features = Literal["embedding", "words", "both"]
HEADS: tuple[Head, ...] = ("logistic", "centroid")
# The fields of a card that change how a classifier answers, and that are only written where they are not None.
_OF_FORMAT_4 = ("multilabel", "scope", "hierarchy", "class_weights", "costs", "targets")
OF_SEVERAL_LABELS = ("micro_f1", "labels_per_text", "predicted_labels_per_text")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Quality measured on examples that the classifier was not fitted on.

    Attributes
    ----------
    accuracy, macro_f1, ece : float
        In [0, 1], over all examples, without abstaining. If texts have several labels, the accuracy is the share of
        texts with exactly the predicted labels, and the ECE is that of the probabilities of all labels.
    n_examples : int
    coverage : float or None
        Share of examples answered at the threshold; None without a threshold.
    answered_accuracy : float or None
        Accuracy on the answered examples; None without a threshold, or if no example is answered.
    out_of_scope_recall : float or None
        Share of held-out out-of-scope examples on which the classifier abstains; None if there are none.
    baseline_accuracy : float or None
        Accuracy of always predicting the commonest label; None in files of older versions.
    words_accuracy : float or None
        Accuracy of logistic regression on TF-IDF alone, trained on the same examples; None if the classifier itself
        uses words only, and in files of older versions.
    micro_f1 : float or None
        F1 of all labels of all texts together; None if a text has one label.
    labels_per_text, predicted_labels_per_text : float or None
        How many labels a text has, and how many are predicted, on average; None if a text has one.
    level_accuracies : tuple of float, or None
        Of labels in a tree: the share of examples whose first part is right, whose first two are, and so on.
    answers : AnswerFigures or None
        How good the answers are beside the most likely labels; None if they are the same. If they are not, all figures
        are about the labels that are chosen, whether or not the classifier abstains then.
    """

    accuracy: float
    macro_f1: float
    ece: float
    n_examples: int
    coverage: float | None = None
    answered_accuracy: float | None = None
    out_of_scope_recall: float | None = None
    baseline_accuracy: float | None = None
    words_accuracy: float | None = None
    micro_f1: float | None = None
    labels_per_text: float | None = None
    predicted_labels_per_text: float | None = None
    level_accuracies: tuple[float, ...] | None = None
    answers: AnswerFigures | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known about a trained classifier.

    Attributes
    ----------
    embedder : EmbedderSpec
        The embedder that made the training vectors.
    head : {"logistic", "centroid"}
    regularization : float or None
        scikit-learn's C; None for a head without one.
    temperature : float
        The number that the scores were divided by; already folded into the weights.
    threshold : float or None
        The confidence below which the classifier abstains; None if it always answers.
    out_of_scope_label : str or None
        The label of the examples that the classifier learned to reject; never one of the classes.
    n_examples : int
        Number of training examples; see also `is_of_labels_alone`.
    held_out : HeldOut or None
        Its measured quality; None if nothing was held out.
    version : str
        The version of embedclf that trained the classifier.
    word_scale : float
        Length of a text's word vector relative to its embedding, which has length 1; 0 if words are not used. Already
        folded into the weights.
    text_column, label_column : str
        Names of the columns of the file that the classifier was trained on, which are looked for first in others; a
        tuple for several columns of texts, which are joined by line breaks.
    training : TrainingRecord or None
        The settings and rows of its training, which `embedclf.retrain` uses; None in files of older
        versions, and for a classifier that scikit-learn has fitted.
    multilabel : LabelRules or None
        Which labels a text gets if it may have several; None if it has one.
    scope : ScopeRule or None
        How probable it is that a text is in scope; None without out-of-scope examples to learn it from, and in files of
        older versions.
    conformal : Conformal or None
        The calibration of label sets; None in files of older versions.
    hierarchy : str or None
        What separates the parts of labels in a tree; None if they are in none.
    class_weights : tuple of float or None
        The weight of each class: the class is answered whose probability times its weight is largest. The probabilities
        are those without weights. If texts may have several labels, the thresholds follow the weights.
    costs : Costs or None
        What answers cost: that of least expected cost is given.
    targets : tuple of LabelTarget or None
        The labels that have thresholds of their own.
    reference : AnswerReference or None
        The distribution of the answers to held-out examples; None if there were too few, if labels are known by their
        texts alone, and in files of older versions.
    """

    embedder: EmbedderSpec
    head: Head
    regularization: float | None
    temperature: float
    threshold: float | None
    out_of_scope_label: str | None
    n_examples: int
    held_out: HeldOut | None
    version: str
    word_scale: float = 0.0
    text_column: TextColumn = DEFAULT.text
    label_column: str = DEFAULT.label
    training: TrainingRecord | None = None
    multilabel: LabelRules | None = None
    scope: ScopeRule | None = None
    conformal: Conformal | None = None
    hierarchy: str | None = None
    class_weights: tuple[float, ...] | None = None
    costs: Costs | None = None
    targets: tuple[LabelTarget, ...] | None = None
    reference: AnswerReference | None = None

    def decision(self, classes: tuple[str, ...]) -> AnyDecision:
        """Return how the probabilities of these classes become answers."""
        tree = None if self.hierarchy is None else hierarchy_of(classes, self.hierarchy)
        if self.multilabel is None:
            return Decision(
                classes,
                self.threshold,
                tree,
                None if self.class_weights is None else np.array(self.class_weights),
                None if self.costs is None else cost_matrix(self.costs, classes, self.out_of_scope_label),
                self.costs is not None and self.costs.can_abstain,
                own_thresholds(self.targets, classes),
            )
        thresholds, has_target = np.array(self.multilabel.thresholds), labels_with_targets(self.targets, classes)
        if self.threshold is not None:
            thresholds[:] = self.threshold if has_target is None else np.where(has_target, thresholds, self.threshold)
        strict = labels_with_targets(self.targets, classes, "precision")
        usual = None if self.multilabel.usual is None else np.array(self.multilabel.usual)
        if usual is not None and self.threshold is not None:
            usual[:] = self.threshold
        return MultiLabelDecision(classes, thresholds, self.multilabel.at_least_one, tree, strict, usual)

    def set_threshold(self, coverage: float) -> float:
        """Return the probability from which on a label is in a label set; see `Conformal.threshold`.

        Raises
        ------
        ArgumentError
            If the coverage is not between 0 and 1, or the classifier cannot reach it or has no label sets.
        """
        if self.multilabel is not None:
            raise ArgumentError(
                "coverage is about texts with one label each, but with this model a text may have several: their "
                "thresholds decide, which --min-confidence (min_confidence=…) changes"
            )
        if self.conformal is None:
            if self.training is not None and self.training.label_texts:
                raise ArgumentError(
                    "coverage needs rows of every label to calibrate on, and the model has labels that are known by "
                    "their texts alone: label some rows of each and train on them"
                )
            files = shlex.join(self.training.files) if self.training is not None and self.training.files else "FILE"
            raise ArgumentError(
                "coverage needs a calibration, which the model does not have: it is from an earlier version of "
                f"embedclf. Train it again: embedclf train {files}"
            )
        return self.conformal.threshold(coverage)

    def answering_otherwise(self, **changes: Any) -> "ModelCard":
        """Return the card with another threshold or other rules, and with what still applies of the reference.

        If only a common threshold abstains, the share of texts without a label is recomputed from their confidences.

        Parameters
        ----------
        **changes : object
            Fields and their new values.
        """
        card = replace(self, **changes)
        if self.reference is None or (card.threshold == self.threshold and card.rules == self.rules):
            return card
        own_rules = (self.hierarchy, card.class_weights, card.costs, self.targets)
        abstained = None
        if all(rule is None for rule in own_rules):
            if card.threshold is not None and not (card.multilabel and card.multilabel.at_least_one):
                abstained = self.reference.share_below(card.threshold)
            elif card.multilabel is None or card.multilabel.at_least_one:
                abstained = 0.0
        labels = self.reference.labels if self.multilabel is None else None
        return replace(card, reference=replace(self.reference, abstained=abstained, labels=labels))

    @property
    def least_format(self) -> int:
        """The first format of model files that can hold this card, whatever the model is."""
        # Older versions must not read what they would use in another way: they would embed without the task or the
        # prompt, or answer otherwise.
        if any(getattr(self, name) is not None for name in _OF_FORMAT_4):
            return 4
        return 3 if self.embedder.told else 1

    @property
    def is_of_labels_alone(self) -> bool:
        """Whether there were no rows to train on, only texts of labels; `n_examples` is the number of these."""
        return self.training is not None and self.training.label_texts and not self.training.n_rows

    @property
    def rules(self) -> dict[str, Any]:
        """What changes how the classifier answers, apart from the threshold, as plain types; empty if nothing does."""
        card = self.to_dict()
        return {name: card[name] for name in _OF_FORMAT_4 if name in card}

    @property
    def columns(self) -> Columns:
        """The names of both columns."""
        return Columns(self.text_column, self.label_column)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain types, for JSON, without training record, calibration of sets, and reference."""
        bare = replace(self, training=None, conformal=None, reference=None, costs=None)
        card = asdict(bare) | {"embedder": self.embedder.to_dict()}
        del card["training"], card["conformal"], card["reference"]
        card["costs"] = None if self.costs is None else [list(row) for row in self.costs.rows]
        card["targets"] = plain(self.targets)
        if self.held_out is not None and self.held_out.answers is None:
            del card["held_out"]["answers"]
        elif self.held_out is not None:
            card["held_out"]["answers"] = plain(card["held_out"]["answers"])
        if self.multilabel is not None and self.multilabel.usual is None:
            del card["multilabel"]["usual"]
        for name in _OF_FORMAT_4:
            if card[name] is None:
                del card[name]
        for name in (*OF_SEVERAL_LABELS, "level_accuracies"):
            if self.held_out is not None and getattr(self.held_out, name) is None:
                del card["held_out"][name]
        return card
