"""What the person who labels sees: a text, the labels that it may have, and the progress."""

from dataclasses import dataclass
from typing import NamedTuple

from embedclf.data.label_sets import LabelSet
from embedclf.stats.intervals import Interval


class Guess(NamedTuple):
    """A label that a text may have.

    Attributes
    ----------
    label : str
    confidence : float or None
        Its probability; None before there is a classifier, and for a text of the test set.
    """

    label: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """A text to label.

    Attributes
    ----------
    row : int
        Index of the text.
    place : str
        Where it is from: ``inbox.csv:17``; empty if the texts are not from a file.
    text : str
    guesses : tuple of Guess
        The labels, the most likely first. For a text of the test set they are in alphabetical order, so that no guess
        of the classifier flatters the figures that are measured on it.
    labels : tuple of str or None
        The labels that it has, in the file or by an earlier answer; None if it has not been labelled.
    note : str
        The note of an earlier answer.
    is_test : bool
        Whether it was drawn at random for the test set.
    revision : int
        How many answers about it there have been. An answer sends it back, so that two windows cannot overwrite each
        other's answers.
    """

    row: int
    place: str
    text: str
    guesses: tuple[Guess, ...]
    labels: LabelSet | None = None
    note: str = ""
    is_test: bool = False
    revision: int = 0


class Point(NamedTuple):
    """How good a classifier trained on the labels so far is.

    Attributes
    ----------
    n_labels : int
        The number of labelled texts that it was trained on.
    accuracy : float
        Share of them that it gets right out of fold; the micro-F1 where texts may have several labels.
    interval : Interval
        95 %.
    """

    n_labels: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Progress:
    """How much has been labelled, and how good a classifier that makes.

    Attributes
    ----------
    n_texts, n_labelled, n_skipped, n_test : int
        The number of texts, and how many are labelled, skipped, and labelled for the test set. Labelled texts include
        those with labels in the file, and those of the test set.
    of_labels : dict of str to int
        How many texts have each label, the most frequent first.
    curve : tuple of Point
        The learning curve, the oldest point first; empty until there are enough labels.
    test : Point or None
        How good it is on the test set, which was labelled without predictions; None without one, or while it is too
        small.
    advice : str
        Whether to continue, in a sentence; empty if there is nothing to say yet.
    is_learning : bool
        Whether a classifier is being trained.
    """

    n_texts: int
    n_labelled: int
    n_skipped: int
    n_test: int
    of_labels: dict[str, int]
    curve: tuple[Point, ...] = ()
    test: Point | None = None
    advice: str = ""
    is_learning: bool = False
