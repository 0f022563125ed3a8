"""Labels in a tree: ``billing/refund/late`` is below ``billing/refund``, and that below ``billing``.

The classes are the leaves. The probability of a label is that of all classes at or below it; if a text may have several
labels, it is that of at least one of them. A class may have others
below it: ``billing`` beside ``billing/refund`` is for what is about billing and nothing more special. Its own
probability is one of those that the label ``billing`` adds up, and ``billing`` is what is answered for it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, overload

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.data.label_sets import Labels, LabelSet
from embedclf.errors import ArgumentError
from embedclf.missing import nothing_to_read
from embedclf.stats import metrics

_MOST_SHOWN = 3
# Separators of the parts of labels, the commonest first, and the fewest labels with another to suggest it.
_USUAL = ("/", ">", "::", "|", "→", "\\", ":", ".")
_LEAST_LABELS = 2


class Steps(NamedTuple):
    """The answers to texts as the threshold falls: arrays of shape (n_steps,), the steps of a text in order.

    Attributes
    ----------
    rows : ndarray of int
        Index of the text.
    confidence : ndarray of float64
        The highest threshold at which it gets this answer.
    nodes : ndarray of int
        Index of the label.
    begins : ndarray of bool
        Whether it is the first answer to the text; the others replace the one before.
    """

    rows: Ints
    confidence: Floats
    nodes: Ints
    begins: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """The tree above some classes.

    Attributes
    ----------
    separator : str
        What stands between the parts of a label.
    names : tuple of str, of length n_nodes
        All labels: the classes in their order, then the labels above them that are no classes, sorted.
    depths : ndarray of shape (n_nodes,), int
        The number of parts of each label.
    parents : ndarray of int
        Indices of the labels that have classes below them, ascending.
    order : ndarray of shape (n_classes,), int
        The classes in such an order that those at or below a label are neighbours.
    ends : ndarray of shape (2 * n_parents,), int
        The first place in that order of the classes of each parent, and the place after their last.
    """

    separator: str
    names: tuple[str, ...]
    depths: Ints
    parents: Ints
    order: Ints
    ends: Ints

    def parent_sums(self, probabilities: Vectors) -> Floats:
        """Return the probability of each parent: (n, n_parents)."""
        # One column more, since `reduceat` takes no place after the last.
        ordered = np.zeros((len(probabilities), len(self.order) + 1))
        ordered[:, :-1] = probabilities[:, self.order]
        return np.minimum(np.add.reduceat(ordered, self.ends, axis=1)[:, ::2], 1.0)

    def back_off(
        self, probabilities: Vectors, chosen: Ints, confidence: Floats, threshold: float | Floats | None
    ) -> tuple[Ints, Floats]:
        """Return the deepest label that reaches the threshold for each text without an answer; see `Decision.decide`.

        Of several labels of the same depth, it is the likeliest. A class that others are below is answered with the
        probability of them all.

        Parameters
        ----------
        probabilities : ndarray of shape (n, n_classes)
        chosen : ndarray of shape (n,), int
            Index of the class that is answered; negative where there is none.
        confidence : ndarray of shape (n,), float64
            Its probability, or that of the most likely class.
        threshold : float, ndarray of shape (n,) or None
            That of all texts, or of each.
        """
        sums = self.parent_sums(probabilities)
        least = np.broadcast_to(0.0 if threshold is None else threshold, len(sums))
        reached = (sums >= least[:, None]) & (chosen < 0)[:, None]
        # A probability is at most 1, and so never worth a level.
        best = np.where(reached, 2 * self.depths[self.parents] + sums, 0.0).argmax(axis=1)
        chosen = np.where(reached.any(axis=1), self.parents[best], chosen)
        place = np.full(len(self.names), -1)
        place[self.parents] = np.arange(len(self.parents))
        of_parent = np.where(chosen < 0, -1, place[chosen])
        return chosen, np.where(of_parent < 0, confidence, sums[np.arange(len(sums)), of_parent])

    def parents_of_none(self, probabilities: Floats, given: Mask, thresholds: Floats) -> tuple[Mask, Floats]:
        """Return the parents that texts with several labels get where none of the labels below reaches its threshold.

        A text may have any number of the labels below a parent, so their probabilities cannot be added: that of the
        parent is 1 - Π(1 - p), that at least one of them is right, as if they were independent. The largest of them
        would never reach a threshold that none of them reaches. The parent needs the highest threshold of the labels
        below it, which is enough for each of them; of parents above one another, the deepest is given.

        Parameters
        ----------
        probabilities : ndarray of shape (n, n_classes), float64
        given : ndarray of shape (n, n_classes), bool
            The classes that texts get.
        thresholds : ndarray of shape (n_classes,)

        Returns
        -------
        reached : ndarray of shape (n, n_parents), bool
        sure : ndarray of shape (n, n_parents)
            Their probabilities.
        """
        taken = given[:, self.order]
        starts, ends = self.ends[::2].tolist(), self.ends[1::2].tolist()
        reached = np.zeros((len(given), len(starts)), dtype=bool)
        sure = np.zeros(reached.shape)
        for parent in np.argsort(-self.depths[self.parents], kind="stable").tolist():
            span = slice(starts[parent], ends[parent])
            below = self.order[span]
            sure[:, parent] = 1 - (1 - probabilities[:, below]).prod(axis=1)
            reached[:, parent] = (sure[:, parent] >= thresholds[below].max()) & ~taken[:, span].any(axis=1)
            taken[:, span] |= reached[:, parent, None]
        return reached, sure

    def steps(self, probabilities: Vectors, chosen: Ints, confidence: Floats) -> Steps:
        """Return all the answers that texts get at any threshold, as `back_off` finds them.

        Parameters
        ----------
        probabilities : ndarray of shape (n, n_classes)
        chosen : ndarray of shape (n,), int
            Index of the class that is answered if it reaches the threshold; see `Decision.choose`.
        confidence : ndarray of shape (n,), float64
            Its probability.
        """
        sums = self.parent_sums(probabilities)
        order = np.argsort(-sums, axis=1, kind="stable")
        sums, depths = np.take_along_axis(sums, order, axis=1), self.depths[self.parents][order]
        deepest = np.maximum.accumulate(depths, axis=1)
        deeper = np.diff(deepest, axis=1, prepend=0) > 0
        rows, places = np.nonzero(deeper & (sums > confidence[:, None]))
        # The class chosen is the last answer to each text.
        confidence = np.concatenate([sums[rows, places], confidence])
        nodes = np.concatenate([self.parents[order[rows, places]], chosen])
        rows = np.concatenate([rows, np.arange(len(probabilities))])
        by_row = np.argsort(rows, kind="stable")
        rows = rows[by_row]
        return Steps(rows, confidence[by_row], nodes[by_row], np.diff(rows, prepend=-1) > 0)

    def covers(self, labels: Sequence[str]) -> Mask:
        """Return which labels of the tree are at or above each of some labels: (n_nodes, n_labels).

        An answer is right if it is the true label, or one above it.
        """
        numbers = {name: number for number, name in enumerate(self.names)}
        found = np.zeros((len(self.names), len(labels)), dtype=bool)
        for column, label in enumerate(labels):
            for above in self._path(label):
                if (number := numbers.get(above)) is not None:
                    found[number, column] = True
        return found

    def levels(self, labels: Sequence[str]) -> list[tuple[list[str], Ints]]:
        """Return, for each level, the labels cut to as many parts: their names, and the number of that of each label.

        A label with fewer parts is itself at all further levels.
        """
        paths = [self._path(label) for label in labels]
        found = []
        for level in range(max(map(len, paths))):
            cut = [path[min(level, len(path) - 1)] for path in paths]
            numbers = {name: number for number, name in enumerate(dict.fromkeys(cut))}
            found.append((list(numbers), np.array([numbers[name] for name in cut], dtype=np.intp)))
        return found

    def level_accuracies(self, labels: Sequence[str], y_true: Ints, y_pred: Ints) -> tuple[float, ...]:
        """Return, for each level, the share of texts whose label, cut to as many parts, is predicted.

        Parameters
        ----------
        labels : sequence of str
        y_true, y_pred : ndarray of shape (n,)
            True and predicted label, as indices into `labels`.
        """
        return tuple(metrics.accuracy(of_label[y_true], of_label[y_pred]) for _, of_label in self.levels(labels))

    def _path(self, label: str) -> list[str]:
        """Return the labels from the top down to a label."""
        parts = parts_of(label, self.separator)
        return [self.separator.join(parts[:level]) for level in range(1, len(parts) + 1)]


def changes(steps: Steps, right: Mask) -> Ints:
    """Return by how much each step changes the number of right answers: 1, 0 or -1.

    Parameters
    ----------
    steps : Steps
    right : ndarray of shape (n_steps,), bool
        Whether the answer of each step is right.
    """
    now: Ints = right.astype(np.intp)
    before = np.concatenate([[0], now[:-1]])
    before[steps.begins] = 0
    changed: Ints = now - before
    return changed


@lru_cache(maxsize=16)
def hierarchy_of(classes: tuple[str, ...], separator: str) -> Hierarchy:
    """Return the tree above some classes.

    Raises
    ------
    ArgumentError
        If the separator is empty, a class is not written as `as_written` writes it, or none has more than one part.
    """
    parts = [parts_of(name, separator) for name in classes]
    _check(classes, separator)
    for name, of_name in zip(classes, parts, strict=True):
        if not all(of_name) or separator.join(of_name) != name:
            raise ArgumentError(f"the label {name!r} is not one of a tree with the separator {separator!r}")
    order = sorted(range(len(classes)), key=parts.__getitem__)
    # Labels above the classes, with the first place of their classes and the place after the last.
    spans: dict[str, list[int]] = {}
    for place, number in enumerate(order):
        for level in range(1, len(parts[number]) + 1):
            spans.setdefault(separator.join(parts[number][:level]), [place, place])[1] = place + 1
    names = (*classes, *sorted(spans.keys() - set(classes)))
    parents = [
        number for number, name in enumerate(names) if number >= len(classes) or spans[name][1] - spans[name][0] > 1
    ]
    return Hierarchy(
        separator,
        names,
        depths=np.array([len(parts_of(name, separator)) for name in names], dtype=np.intp),
        parents=np.array(parents, dtype=np.intp),
        order=np.array(order, dtype=np.intp),
        ends=np.array([end for number in parents for end in spans[names[number]]], dtype=np.intp),
    )


def parts_of(label: str, separator: str) -> list[str]:
    """Return the parts of a label, without white space around them."""
    return [part.strip() for part in label.split(separator.strip() or separator)]


@overload
def as_written(labels: Iterable[str], separator: str) -> list[str]: ...


@overload
def as_written(labels: Iterable[LabelSet], separator: str) -> list[LabelSet]: ...


@overload
def as_written(labels: Labels, separator: str) -> list[str] | list[LabelSet]: ...


def as_written(labels: Iterable[str] | Iterable[LabelSet], separator: str) -> Any:
    """Return the labels of texts with nothing but the separator between their parts, so that one has one spelling."""
    return [
        separator.join(parts_of(one, separator))
        if isinstance(one, str)
        else tuple(sorted({*as_written(one, separator)}))
        for one in labels
    ]


def usual_separator(labels: Sequence[str], separator: Any) -> str:
    """Return the separator with the white space that stands around it most often: `` > `` for ``>``, say.

    Raises
    ------
    ArgumentError
        If it is not a string, is empty, or stands in no label.
    """
    _check(labels, separator)
    core = separator.strip() or separator
    found = Counter(match[0] for label in labels for match in re.finditer(rf"\s*{re.escape(core)}\s*", label))
    return max(found, key=lambda written: (found[written], -len(written)))


def tree_fault(label: str, separator: str) -> str | None:
    """Return what is wrong with a label of a tree, or None."""
    if not any(nothing_to_read(part, "part") for part in parts_of(label, separator)):
        return None
    return f"the label {label!r} has an empty part (separator {separator.strip() or separator!r})"


def _check(labels: Sequence[str], separator: Any) -> None:
    if not isinstance(separator, str) or not separator:
        raise ArgumentError(f"--label-hierarchy (label_hierarchy=…) must be a separator such as '/', got {separator!r}")
    core = separator.strip() or separator
    if not any(core in label for label in labels):
        names = sorted(set(labels))
        shown = ", ".join(map(repr, names[:_MOST_SHOWN])) + (", …" if len(names) > _MOST_SHOWN else "")
        found = [one for one in _USUAL if sum(one in name for name in names) >= _LEAST_LABELS]
        meant = f"; did you mean {found[0]!r}?" if found else ""
        raise ArgumentError(
            f"no label contains the separator {core!r} (--label-hierarchy, label_hierarchy=…); the labels are "
            f"{shown}{meant}"
        )
