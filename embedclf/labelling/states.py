"""The state of each text: its labels, from the file and from answers, counted as they come in.

Equal texts are one text here, identified by its first row: it is asked once, and the answer applies to all of its rows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from embedclf.data.label_sets import LabelSet
from embedclf.labelling.answers import Answer, digest_of

Result = tuple[LabelSet | None, Answer | None]
"""What is known of a row: its labels, and the last answer about its text; None if there is none."""


class States:
    """The labels of some texts, and the answers about each.

    Parameters
    ----------
    texts : sequence of str
    given : sequence of (tuple of str or None)
        The labels that each row has in the file; None if it has not been labelled.
    answers : iterable of Answer
        Those of earlier runs, the oldest first. They are matched by the hash of the text.

    Attributes
    ----------
    first : list of int
        Of each row, the first row with the same text.
    digests : list of str
        The hash of the text of each row.
    for_training, for_test : dict of int to tuple of str
        The labels of the texts to learn from, and of those of the test set, by their first rows.
    counts : Counter of str
        How many rows have each label.
    n_labelled, n_test : int
        How many rows have labels, and how many of those are for the test set.
    skipped : dict of int to None
        The texts that have been skipped, in the order of skipping.
    n_gone : int
        How many texts have answers, but are no longer among the texts.
    """

    def __init__(self, texts: Sequence[str], given: Sequence[LabelSet | None], answers: Iterable[Answer]) -> None:
        self.digests = [digest_of(text) for text in texts]
        firsts: dict[str, int] = {}
        self.first = [firsts.setdefault(digest, row) for row, digest in enumerate(self.digests)]
        self._first_of = firsts
        self._given = given
        self._rows: dict[int, list[int]] = {}
        for row, first in enumerate(self.first):
            self._rows.setdefault(first, []).append(row)
        self._given_to: dict[int, LabelSet] = {}
        self.contradictory: dict[int, None] = {}
        for first, rows in self._rows.items():
            labels = {of_row for row in rows if (of_row := given[row]) is not None}
            if len(labels) == 1:
                (self._given_to[first],) = labels
            elif labels:
                self.contradictory[first] = None
        self._stacks: dict[int, list[Answer]] = {}
        self._revisions: Counter[int] = Counter()
        self.for_training: dict[int, LabelSet] = {}
        self.for_test: dict[int, LabelSet] = {}
        self.counts: Counter[str] = Counter()
        self.n_labelled = self.n_test = 0
        self.skipped: dict[int, None] = {}
        for first in self._rows:
            self._count(first, 1)
        gone: dict[str, bool] = {}
        for answer in answers:
            if (known := firsts.get(answer.digest)) is None:
                gone[answer.digest] = not answer.is_undone
            else:
                self.add(known, answer)
        self.n_gone = sum(gone.values())

    def row_of(self, digest: str) -> int | None:
        """Return the first row of the text with a hash; None if there is none."""
        return self._first_of.get(digest)

    def add(self, row: int, answer: Answer) -> None:
        """Record an answer about the text of a row, or undo the previous one."""
        first = self.first[row]
        self._count(first, -1)
        stack = self._stacks.setdefault(first, [])
        if not answer.is_undone:
            stack.append(answer)
        elif stack:
            stack.pop()
        self._revisions[first] += 1
        self._count(first, 1)

    def last(self, row: int) -> Answer | None:
        """Return the last answer about the text of a row that has not been taken back; None if there is none."""
        stack = self._stacks.get(self.first[row])
        return stack[-1] if stack else None

    def labels(self, row: int) -> LabelSet | None:
        """Return the labels of the text of a row; None if it has none, or equal texts have different ones in the file.

        They are those of the last answer that gave labels, or else those in the file.
        """
        first = self.first[row]
        last = self._labelling(first)
        return self._given_to.get(first) if last is None else last.labels

    def labels_of_row(self, row: int) -> LabelSet | None:
        """Return the labels of a row; where equal texts have different ones in the file, those that are its own."""
        labels = self.labels(row)
        return self._given[row] if labels is None else labels

    def labels_of_rows(self, row: int) -> list[LabelSet | None]:
        """Return the labels of each row with the text of a row."""
        return [self.labels_of_row(one) for one in self._rows[self.first[row]]]

    def answered(self) -> dict[int, Result]:
        """Return the labels of the texts that have answers, and the last answer, by their first rows."""
        return {first: (self.labels(first), stack[-1]) for first, stack in self._stacks.items() if stack}

    def results(self, answered: dict[int, Result]) -> list[Result]:
        """Return what is known of each row, by what `answered` has returned; this needs no lock."""
        found: list[Result] = []
        for first, given in zip(self.first, self._given, strict=True):
            labels, last = answered.get(first, (None, None))
            labels = self._given_to.get(first) if labels is None else labels
            found.append((given if labels is None else labels, last))
        return found

    def is_labelled(self, row: int) -> bool:
        """Return whether each row with the text of a row has labels."""
        first = self.first[row]
        if first not in self.contradictory:
            return self.labels(first) is not None
        return self.labels(first) is not None or all(self._given[one] is not None for one in self._rows[first])

    @property
    def n_changed(self) -> int:
        """How many rows that have labels in the file have others now."""
        return sum(given is not None and self.labels_of_row(row) != given for row, given in enumerate(self._given))

    def revision(self, row: int) -> int:
        """Return how many answers about the text of a row there have been, those taken back included."""
        return self._revisions[self.first[row]]

    def n_rows(self, row: int) -> int:
        """Return how many rows have the text of a row."""
        return len(self._rows[self.first[row]])

    @property
    def n_copies(self) -> int:
        """How many rows have the text of a row before them."""
        return len(self.first) - len(self._rows)

    def _labelling(self, first: int) -> Answer | None:
        return next((one for one in reversed(self._stacks.get(first, ())) if one.labels is not None), None)

    def _count(self, first: int, sign: int) -> None:
        last, labelling, rows = self.last(first), self._labelling(first), self._rows[first]
        labels = self.labels(first)
        if labels is not None:
            self._count_rows(labels, len(rows), sign)
            is_test = labelling is not None and labelling.is_test
            self.n_test += sign * len(rows) * is_test
            of = self.for_test if is_test else self.for_training
            if sign > 0:
                of[first] = labels
            else:
                del of[first]
        elif first in self.contradictory:
            for row in rows:
                if (own := self._given[row]) is not None:
                    self._count_rows(own, 1, sign)
        if last is not None and last.is_skipped:
            if sign > 0:
                self.skipped[first] = None
            else:
                del self.skipped[first]

    def _count_rows(self, labels: LabelSet, n_rows: int, sign: int) -> None:
        self.n_labelled += sign * n_rows
        for label in labels:
            self.counts[label] += sign * n_rows
            if not self.counts[label]:
                del self.counts[label]
