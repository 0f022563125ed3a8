"""Trainings on the labels so far, with their out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.decisions import LabelRules, MultiLabelDecision
from embedclf.classifier.linear import logistic
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.threads import one_thread
from embedclf.training.checks import check_labelled
from embedclf.training.heads import within_limit
from embedclf.training.label_calibration import LabelCalibration
from embedclf.training.label_names import LabelText, names_for
from embedclf.training.recipe import Recipe
from embedclf.training.settings import Settings, choose_settings, fit_all
from embedclf.training.training_set import TrainingSet, make_training_set

# Texts that are predicted in one piece. A piece holds up other threads for a few milliseconds.
_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A classifier of the labels of some rows.

    Attributes
    ----------
    classifier : TextClassifier
        That of ``embedclf train`` on these rows with nothing held out.
    rows : frozenset of int
        The rows that it was trained on.
    out_of_fold : dict of int to tuple of str
        The out-of-fold predictions: for all rows while there are fewer than 2,000, else for about 1,500. They are the
        predictions on which `train` chooses its settings, so they need no fits of their own; the optimism from choosing
        these few settings is smaller than their interval. A row that is the only text of its label has no labels: left
        out, its label would not be known.
    """

    classifier: TextClassifier
    rows: frozenset[int]
    out_of_fold: dict[int, LabelSet]

    @property
    def n_labels(self) -> int:
        """The number of rows that it was trained on."""
        return len(self.rows)


class NameVectors:
    """The vectors of the texts that stand for labels, each embedded once.

    Parameters
    ----------
    texts : EmbeddedTexts
        Whose embedder embeds them.
    """

    def __init__(self, texts: EmbeddedTexts) -> None:
        self._texts = texts
        self._known: dict[str, Vectors] = {}

    def of(self, said: Sequence[LabelText]) -> Vectors | None:
        """Return the vectors of texts, (n, n_dimensions), float32; None if there are no texts."""
        new = list(dict.fromkeys(one.text for one in said if one.text not in self._known))
        if new:
            self._known |= zip(new, self._texts.embedder.embed_checked(new), strict=True)
        return np.stack([self._known[one.text] for one in said]) if said else None


def train_on_rows(
    texts: EmbeddedTexts,
    labels: Mapping[int, LabelSet],
    recipe: Recipe,
    names: NameVectors,
    *,
    several: bool,
    seed: int = 0,
) -> Training:
    """Train on the labels of some rows, as ``embedclf train`` does with nothing held out.

    Parameters
    ----------
    texts : EmbeddedTexts
    labels : mapping of int to tuple of str
        The labels of the rows to train on; their order does not matter.
    recipe : Recipe
    names : NameVectors
    several : bool
        Whether a text may have several labels.
    seed : int
        Seed for the folds.

    Raises
    ------
    TrainingError
        If the rows are not enough for a classifier.
    TextError, EmbedderError
        If the names of labels cannot be embedded.
    """
    rows = sorted(labels)
    known: Any = [labels[row] if several else labels[row][0] for row in rows]
    chosen = EmbeddedTexts(
        [texts.texts[row] for row in rows], known, embedder=texts.embedder, vectors=texts.vectors[rows]
    )
    classes, y, given = check_labelled(chosen.texts, known)
    of_names = names.of(names_for(recipe, classes, len(rows))) if recipe.uses_vectors else None
    examples = make_training_set(recipe, chosen, classes, y, of_names, given=given)
    with one_thread():
        settings = choose_settings(recipe, examples, seed=seed)
        trained = fit_all(recipe, settings, examples)
        if (smaller := within_limit(trained)) is not trained.vocabulary:
            trained = fit_all(recipe, settings, examples, start=trained, vocabulary=smaller)
    model = trained.model(settings.temperature, classes, settings.of_labels)
    card = ModelCard(
        embedder=texts.spec,
        head=recipe.head,
        regularization=settings.C,
        temperature=settings.temperature,
        threshold=None,
        out_of_scope_label=None,
        n_examples=len(rows),
        held_out=None,
        version=__version__,
        word_scale=settings.scale,
        multilabel=_rules(settings, examples),
    )
    classifier = make_classifier(texts.embedder, model, card)
    return Training(classifier, frozenset(rows), _out_of_fold(settings, examples, np.array(rows, dtype=np.intp)))


def _rules(settings: Settings, examples: TrainingSet) -> LabelRules | None:
    if (of_labels := settings.of_labels) is None:
        return None
    return LabelRules(tuple(of_labels.thresholds.tolist()), examples.are_all_labelled)


def _out_of_fold(settings: Settings, examples: TrainingSet, rows: Ints) -> dict[int, LabelSet]:
    """Return the out-of-fold predictions for the rows."""
    found: dict[int, LabelSet] = dict.fromkeys(rows[_is_alone(examples)].tolist(), ())
    left_out, classes = settings.out_of_fold, examples.classes
    if left_out is None or left_out.rows is None:
        return found
    judged = rows[left_out.rows].tolist()
    if examples.given is None:
        answers: list[LabelSet] = [(classes[number],) for number in left_out.scores.argmax(axis=1).tolist()]
    else:
        of_labels = settings.of_labels or LabelCalibration.neutral(len(classes))
        probabilities = logistic((left_out.scores * of_labels.factors + of_labels.shifts).astype(np.float32))
        decision = MultiLabelDecision(classes, of_labels.thresholds, examples.are_all_labelled)
        answers = [_named(classes, given) for given in decision.given(probabilities)]
    return found | dict(zip(judged, answers, strict=True))


def _is_alone(examples: TrainingSet) -> Mask:
    """Return which examples no fold leaves out, since each is the only text of its class: (n,)."""
    pairs = np.unique(np.column_stack([examples.y, examples.groups]), axis=0)
    alone: Mask = np.bincount(pairs[:, 0], minlength=len(examples.classes))[examples.y] == 1
    return alone


def _named(classes: Sequence[str], given: Mask) -> LabelSet:
    return tuple(classes[number] for number in np.flatnonzero(given).tolist())


def predicted_labels(classifier: TextClassifier, texts: EmbeddedTexts, rows: Sequence[int]) -> list[LabelSet]:
    """Return the labels that a classifier gives to some rows."""
    found: list[LabelSet] = []
    for start in range(0, len(rows), _BLOCK):
        part = list(rows[start : start + _BLOCK])
        probabilities = classifier.probabilities(texts.vectors[part], [texts.texts[row] for row in part])
        answers: list[Any] = list(classifier.decide(probabilities))
        found += [(one,) if isinstance(one, str) else tuple(sorted(one)) for one in answers]
    return found
