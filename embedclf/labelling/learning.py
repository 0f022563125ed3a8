"""What is learned from the labels so far: a classifier, how good it is, and whether to label more."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from embedclf.arrays import Vectors
from embedclf.data.label_sets import LabelSet
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import TrainingError
from embedclf.labelling.advice import LABELS_BETWEEN, advise, change_between, measured
from embedclf.labelling.questions import Guess, Point
from embedclf.labelling.trainings import NameVectors, Training, predicted_labels, train_on_rows
from embedclf.stats.intervals import FEW_ROWS
from embedclf.training.label_names import LabelText, texts_of
from embedclf.training.nearest_labels import NearestLabels
from embedclf.training.recipe import Recipe
from embedclf.training.trainer import open_for

logger = logging.getLogger(__name__)

# Classifiers are compared once so many labels lie between them; earlier ones are kept at these distances.
_LEAST_BETWEEN, _APART = 25, 10
# The curve has a point for this many more labels, or this share more.
_POINT_EVERY, _POINT_SHARE = 5, 0.05
# Before there is a classifier, the texts that were labelled last are enough to guess by.
_MOST_NEAREST = 500


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What is known after some labels; see `Progress` for the last three.

    Attributes
    ----------
    training : Training or None
        None while there are not enough labels for a classifier.
    curve : tuple of Point
    test : Point or None
    advice : str
    """

    training: Training | None = None
    curve: tuple[Point, ...] = ()
    test: Point | None = None
    advice: str = ""


class Learning:
    """Learns from labels, one training after the other.

    Figures on labelled rows are out of fold. Rows chosen because the classifier was uncertain of them are harder than
    others, so these figures underestimate the accuracy on random texts, with 77 labels by 20 points
    (benchmarks/labelling.py). The fair figures are those on the test set.

    Parameters
    ----------
    texts : EmbeddedTexts
        All texts, labelled or not.
    several : bool
        Whether a text may have several labels.
    known : sequence of str
        Labels that may be given. Before there is a classifier, guesses are made by their names, too.
    recipe : Recipe, optional
        How to train; None is as ``embedclf train`` does it.
    seed : int
        Seed for the folds. The same labels, one after the other, lead to the same results.

    Attributes
    ----------
    learned : Learned
        What is known now; replaced as a whole, so other threads may read it at any time.
    """

    def __init__(
        self,
        texts: EmbeddedTexts,
        *,
        several: bool = False,
        known: Sequence[str] = (),
        recipe: Recipe | None = None,
        seed: int = 0,
    ) -> None:
        self._texts, self._several, self._known, self._seed = texts, several, tuple(known), seed
        self._recipe = open_for(recipe or Recipe(), texts)[1]
        self._names = NameVectors(texts)
        self._said: tuple[list[LabelText], Vectors | None] = [], None
        self._past: list[Training] = []
        self.learned = Learned()

    def read_names(self) -> None:
        """Embed the names of the known labels, for guesses before there is a classifier.

        Raises
        ------
        TextError, EmbedderError
            If they cannot be embedded.
        """
        if not self._texts.embedder.is_lexical:
            said = texts_of(self._known, {})
            self._said = said, self._names.of(said)

    def learn(self, labels: Mapping[int, LabelSet], test: Mapping[int, LabelSet]) -> None:
        """Train on the labels of some rows, and measure.

        Rows whose text is also in the test set are left out. If too few rows remain for a classifier, there is none
        afterwards.

        Parameters
        ----------
        labels, test : mapping of int to tuple of str
            The labels of the rows to train on, and of those of the test set.

        Raises
        ------
        TextError, EmbedderError
            If the names of labels cannot be embedded; nothing is changed then.
        """
        groups = self._texts.groups
        tested = set(groups[list(test)].tolist())
        labels = {row: one for row, one in labels.items() if groups[row] not in tested}
        try:
            training = train_on_rows(
                self._texts, labels, self._recipe, self._names, several=self._several, seed=self._seed
            )
        except TrainingError as error:
            logger.debug("no classifier of %d labels: %s", len(labels), error)
            self._past.clear()
            self.learned = replace(self.learned, training=None, test=None, advice="")
            return
        self._keep(training)
        curve = self._curve_with(training, labels)
        self.learned = Learned(training, curve, self._measured_on(test, training), self._advice(training, labels, test))

    def measure(self, test: Mapping[int, LabelSet]) -> None:
        """Measure on the test set again, after it has changed."""
        if (training := self.learned.training) is not None:
            self.learned = replace(self.learned, test=self._measured_on(test, training))

    def guesses(self, row: int, labels: Mapping[int, LabelSet]) -> tuple[Guess, ...]:
        """Return the labels of a row, the most likely first.

        Before there is a classifier, they are those whose texts and names are most similar, after the mean of all texts
        is subtracted. They have no confidence then.

        Parameters
        ----------
        row : int
        labels : mapping of int to tuple of str
            Those of labelled rows, for the time before there is a classifier.
        """
        if (training := self.learned.training) is None:
            return self._nearest(row, labels)
        classifier = training.classifier
        probabilities = classifier.probabilities(self._texts.vectors[row : row + 1], [self._texts.texts[row]])[0]
        order = np.argsort(-probabilities, kind="stable").tolist()
        sure = probabilities.tolist()
        return tuple(Guess(classifier.classes[number], sure[number]) for number in order)

    @cached_property
    def _mean_text(self) -> Vectors:
        mean: Vectors = self._texts.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean

    def _nearest(self, row: int, labels: Mapping[int, LabelSet]) -> tuple[Guess, ...]:
        said, of_names = self._said
        pairs = [(label, one) for one in list(labels)[-_MOST_NEAREST:] for label in labels[one]]
        of_rows = self._texts.vectors[[one for _, one in pairs]]
        vectors = of_rows if of_names is None else np.vstack([of_names, of_rows])
        known = [*said, *(LabelText(label, "") for label, _ in pairs)]
        if len({one.label for one in known}) < 2:
            return tuple({Guess(one.label, None) for one in known})
        try:
            nearest = NearestLabels.of(known, vectors, mean_text=self._mean_text)
        except TrainingError:  # their texts are all the same
            return ()
        scores = nearest.model().scores(self._texts.vectors[row : row + 1])[0]
        return tuple(Guess(nearest.labels[number], None) for number in np.argsort(-scores, kind="stable").tolist())

    def _keep(self, training: Training) -> None:
        """Keep a training for comparison, and forget those that will not be needed any more."""
        past = [one for one in self._past if one.n_labels < training.n_labels]
        if len(past) > 1 and past[-1].n_labels - past[-2].n_labels < _APART:
            del past[-1]
        far = [one for one in past if one.n_labels <= training.n_labels - LABELS_BETWEEN]
        self._past = [*past[max(0, len(far) - 1) :], training]

    def _curve_with(self, training: Training, labels: Mapping[int, LabelSet]) -> tuple[Point, ...]:
        rows = sorted(training.out_of_fold)
        if len(rows) < FEW_ROWS:
            return self.learned.curve
        answers = [training.out_of_fold[row] for row in rows]
        point = self._point(rows, labels, answers, training)
        curve = [one for one in self.learned.curve if one.n_labels < point.n_labels]
        if len(curve) > 1:
            step = max(_POINT_EVERY, _POINT_SHARE * curve[-2].n_labels)
            curve = curve[:-1] if curve[-1].n_labels - curve[-2].n_labels < step else curve
        return (*curve, point)

    def _measured_on(self, test: Mapping[int, LabelSet], training: Training) -> Point | None:
        rows = sorted(test)
        if len(rows) < FEW_ROWS:
            return None
        answers = predicted_labels(training.classifier, self._texts, rows)
        return self._point(rows, test, answers, training)

    def _point(
        self, rows: list[int], labels: Mapping[int, LabelSet], answers: list[LabelSet], training: Training
    ) -> Point:
        known = [labels[row] for row in rows]
        figures = measured(known, answers, self._texts.groups[rows], several=self._several)
        return Point(training.n_labels, figures.after, figures.after_interval)

    def _advice(self, training: Training, labels: Mapping[int, LabelSet], test: Mapping[int, LabelSet]) -> str:
        """Compare with the last classifier of 100 labels fewer or, as long as there is none, with the first one."""
        before = self._past[0]
        n_labels = training.n_labels - before.n_labels
        if n_labels < _LEAST_BETWEEN:
            return ""
        change = change_between(before, training, self._texts, labels, test, several=self._several)
        return advise(change, n_labels, labels)
