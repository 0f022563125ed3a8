"""The result of comparing new texts with old ones."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, NamedTuple

from embedclf.classifier.answer_figures import plain
from embedclf.data_frames import data_frame
from embedclf.exploration.changed_answers import ChangedAnswers, Shift
from embedclf.exploration.changed_groups import ChangedGroup
from embedclf.exploration.changed_words import ChangedWord
from embedclf.formatting import counted
from embedclf.records import WithPage
from embedclf.stats.intervals import Interval

Verdict = Literal["changed", "no change found", "cannot tell"]

MOST_COMPARED = 10_000
"""If a file has more distinct texts, this many are sampled: comparing more takes minutes, and hardly finds more."""


class TypicalRow(NamedTuple):
    """A new text that is unlike the old ones.

    Attributes
    ----------
    row : int
        Index of the new text.
    text : str
    newness : float
        See `Drift.newness`.
    nearest_row : int
        Index of the most similar old text.
    nearest_text : str
    similarity : float
        Cosine similarity between the two, from −1 to 1.
    """

    row: int
    text: str
    newness: float
    nearest_row: int
    nearest_text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Drift(WithPage):
    """Whether new texts differ from old ones, and how.

    Attributes
    ----------
    verdict : {"changed", "no change found", "cannot tell"}
        Random halves of the same texts are called changed at most 5 % of the time. "cannot tell" means that nothing was
        found, but that there are too few texts to rule out a change that matters.
    n_new, n_old : int
        Numbers of rows.
    n_new_texts, n_old_texts : int
        Numbers of distinct texts among them.
    n_compared_new, n_compared_old : int
        How many distinct texts were compared. A text in both files counts once, assigned to one of them at random.
    auroc : float or None
        The out-of-fold AUROC of a classifier that tells new texts from old ones: how often it picks out the new one of
        a pair, 0.5 if the texts do not differ. None if there are too few texts.
    auroc_interval : Interval or None
        95 %.
    p_value : float or None
        How often a random division of the texts has a neighbourhood at least as one-sided as the most one-sided one
        found; see `embedclf.exploration.local_shares`.
    groups : tuple of ChangedGroup
        Groups of similar texts that are more or less common than before; empty if the verdict is not "changed".
    words : tuple of ChangedWord
        Words that are more or less frequent than before; empty if the verdict is not "changed".
    typical : tuple of TypicalRow
        The new texts least like the old ones; empty if the verdict is not "changed".
    newness : tuple of float
        For each new row, the out-of-fold probability that it is new, as if there were as many new rows as old; empty
        if there are too few texts.
    group_of : tuple of (int or None)
        For each new row, the index of its group in `groups`.
    labels : dict of str to Shift
        For each label, its share of the new and of the old labelled rows; empty if a file has no labels.
    answers : ChangedAnswers or None
        The answers of a classifier; None without one.
    """

    verdict: Verdict
    n_new: int
    n_old: int
    n_new_texts: int
    n_old_texts: int
    n_compared_new: int
    n_compared_old: int
    auroc: float | None
    auroc_interval: Interval | None
    p_value: float | None
    groups: tuple[ChangedGroup, ...]
    words: tuple[ChangedWord, ...]
    typical: tuple[TypicalRow, ...]
    newness: tuple[float, ...]
    group_of: tuple[int | None, ...]
    labels: dict[str, Shift]
    answers: ChangedAnswers | None

    def __repr__(self) -> str:
        return f"<Drift: {self.verdict}, {counted(self.n_new, 'new row')} and {counted(self.n_old, 'old row')}>"

    @property
    def least_share(self) -> float:
        """The least share of the texts that must be of a different kind, from the lower end of the AUROC's interval.

        If a share t of the texts has changed (their total variation distance), no classifier has an AUROC above
        ``1 - (1 - t) ** 2 / 2``, since its curve is nowhere more than t above the diagonal.
        """
        low = 0.5 if self.auroc_interval is None else self.auroc_interval.low
        return max(0.0, 1 - sqrt(2 * (1 - low)))

    @property
    def is_sampled(self) -> bool:
        """Whether a file has more texts than were compared."""
        return max(self.n_compared_new, self.n_compared_old) >= MOST_COMPARED

    def to_frame(self) -> Any:
        """Return the groups as a data frame of pandas, or of Polars if only that is installed."""
        rows = [{**one._asdict(), "words": ", ".join(one.words), "text": one.texts[0].text} for one in self.groups]
        return data_frame(rows, ("name", "more_in", "size", "share", "other_share", "words", "text"))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON."""
        return {
            "verdict": self.verdict,
            "n_new": self.n_new,
            "n_old": self.n_old,
            "n_new_texts": self.n_new_texts,
            "n_old_texts": self.n_old_texts,
            "n_compared_new": self.n_compared_new,
            "n_compared_old": self.n_compared_old,
            "auroc": self.auroc,
            "auroc_interval": None if self.auroc_interval is None else list(self.auroc_interval),
            "p_value": self.p_value,
            "least_share": self.least_share,
            "groups": [{**one._asdict(), "texts": [each._asdict() for each in one.texts]} for one in self.groups],
            "words": [one._asdict() for one in self.words],
            "typical": [one._asdict() for one in self.typical],
            "labels": plain(self.labels),
            "answers": None if self.answers is None else self.answers.to_dict(),
        }
