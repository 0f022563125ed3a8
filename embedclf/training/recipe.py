"""The requested settings of a classifier."""

import math
from dataclasses import dataclass
from typing import Literal

from embedclf.classifier.model_card import HEADS, Head
from embedclf.errors import ArgumentError

Features = Literal["auto", "embedding", "words", "both"]

# Candidate lengths of the word vector of a text, beside the embedder's vector of length 1. With words only, a longer
# vector would be the same as a larger C.
SCALES: dict[Features, tuple[float, ...]] = {
    "auto": (0.0, 1.0, 2.0),
    "embedding": (0.0,),
    "words": (1.0,),
    "both": (1.0, 2.0),
}
# Outside this range, rounding errors dominate the solver.
LEAST_C, MOST_C = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit a classifier.

    Attributes
    ----------
    head : {"logistic", "centroid"}
    C : float or None
        None if it is to be chosen, or the head has none.
    features : {"auto", "embedding", "words", "both"}
        What to use of a text: its vector, its words, or both; "auto" chooses whether to use words.
    label_names : bool or None
        Whether to use the name of each label as a training text; None chooses.
    """

    head: Head = "logistic"
    C: float | None = None
    features: Features = "auto"
    label_names: bool | None = None

    @property
    def uses_vectors(self) -> bool:
        """Whether vectors are needed."""
        return self.features != "words"

    @property
    def scales(self) -> tuple[float, ...]:
        """The candidate lengths of word vectors; 0 is without words."""
        return SCALES[self.features]

    @property
    def uses_words(self) -> bool:
        """Whether n-grams are needed, if only to choose whether to use them."""
        return any(self.scales)


def check_recipe(
    head: str,
    regularization: float | str = "auto",
    features: str = "auto",
    label_names: bool | None = None,
    C: float | str | None = None,
) -> Recipe:
    """Check settings, and return them as a recipe; `C` and `regularization` are two names of one setting.

    Raises
    ------
    ArgumentError
        If a setting is invalid, or does not apply to the head.
    """
    if head not in HEADS:
        raise ArgumentError(f"unknown head {head!r}: expected {' or '.join(map(repr, HEADS))}")
    if features not in SCALES:
        raise ArgumentError(f"unknown features {features!r}: expected one of {', '.join(map(repr, SCALES))}")
    if C is not None and regularization != "auto":
        raise ArgumentError("C and regularization are two names of the same setting: pass only one of them")
    name, given = ("regularization", regularization) if C is None else ("C", C)
    if given == "auto":
        return Recipe(head, None, features, label_names)
    if head == "centroid":
        raise ArgumentError(f"{name} applies to the logistic head only: the centroid head has none")
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not LEAST_C <= value <= MOST_C:
        raise ArgumentError(f"{name} must be 'auto' or scikit-learn's C, from {LEAST_C:g} to {MOST_C:g}, got {given!r}")
    return Recipe(head, value, features, label_names)
