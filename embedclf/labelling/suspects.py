"""Texts of a labelled file whose labels are probably wrong, to be kept or changed one by one."""

from collections.abc import Sequence

import numpy as np

from embedclf.arrays import Vectors
from embedclf.data.label_sets import LABEL_SEPARATOR, LabelSet, labels_of_cell
from embedclf.errors import EmbedclfError
from embedclf.formatting import counted
from embedclf.labelling.questions import Guess, Point
from embedclf.phases import phase
from embedclf.quality.label_errors import label_errors, why_no_label_errors
from embedclf.quality.label_set_errors import label_set_errors, why_no_label_set_errors
from embedclf.validation import group_duplicates


class Suspects:
    """What to ask about texts whose labels are probably wrong; a `Learner` that guesses, and learns nothing.

    Parameters
    ----------
    guesses : dict of int to tuple of str
        The labels to choose from, by row: those that the text has, then those that it probably should have. The most
        suspicious row comes first.

    Attributes
    ----------
    rows : list of int
        The rows, in this order.
    """

    curve: tuple[Point, ...] = ()
    test: Point | None = None
    is_learning = False

    def __init__(self, guesses: dict[int, LabelSet]) -> None:
        self._guesses = guesses
        self.rows = list(guesses)

    @property
    def advice(self) -> str:
        """What the person is asked to do, in a sentence."""
        if not self.rows:
            return "No label looks wrong."
        return (
            f"{counted(len(self.rows), 'text')} may be mislabelled, most suspicious first: keep or change each label."
        )

    def learn(self, labels: dict[int, LabelSet], test: dict[int, LabelSet]) -> None:
        """Learn nothing: what is suspicious is decided once."""

    def guesses(self, row: int) -> tuple[Guess, ...]:
        """Return the labels to choose from; see `Learner`."""
        return tuple(Guess(label, None) for label in self._guesses.get(row, ()))


def find_suspects(
    texts: Sequence[str],
    labels: Sequence[LabelSet | None],
    vectors: Vectors,
    *,
    several: bool,
    seed: int,
) -> Suspects:
    """Find the texts whose labels are probably wrong: equal texts with different labels, then those of `label_errors`.

    Parameters
    ----------
    texts : sequence of str
    labels : sequence of (tuple of str or None)
        None for a text that has not been labelled, which is no suspect.
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    several : bool
        Whether a text may have several labels.
    seed : int
        Random seed of the folds.

    Raises
    ------
    EmbedclfError
        If there are too few labels, or cleanlab is not installed.
    """
    rows = [row for row, of_row in enumerate(labels) if of_row is not None]
    own_texts = [texts[row] for row in rows]
    sets = [of_row for of_row in labels if of_row is not None]
    own = ["".join(of_row) for of_row in sets]
    reason = why_no_label_set_errors(own_texts, sets) if several else why_no_label_errors(own_texts, own)
    if reason is not None:
        raise EmbedclfError(f"labels cannot be checked: {reason}")
    groups = group_duplicates(own_texts)
    places, own_vectors = np.array(rows, dtype=np.intp), vectors[rows]
    with phase("Finding label errors"):
        if several:
            found = label_set_errors(places, own_texts, sets, own_vectors, groups, seed=seed, separator=LABEL_SEPARATOR)
        else:
            found = label_errors(places, own_texts, own, own_vectors, groups, seed=seed)
    first: dict[str, int] = {}
    given: dict[int, dict[LabelSet, None]] = {}
    for row, text in enumerate(texts):
        if (of_row := labels[row]) is not None:
            given.setdefault(first.setdefault(text, row), {})[of_row] = None
        else:
            first.setdefault(text, row)
    guesses = {row: _each(*different) for row, different in given.items() if len(different) > 1}
    for one in found:
        row, suggested = first[one.text], one.suggested or ""
        proposed = labels_of_cell(suggested, LABEL_SEPARATOR) if several else (suggested,)
        guesses.setdefault(row, _each(*given[row], proposed))
    return Suspects(guesses)


def _each(*sets: LabelSet) -> LabelSet:
    """Return the labels of several sets, each once, in this order."""
    return tuple(dict.fromkeys(label for labels in sets for label in labels))
