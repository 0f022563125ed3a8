"""What a classifier is to be made of, as it is asked for."""

import math
from dataclasses import dataclass
from typing import Literal

from embedclf.classifier.model_file import HEADS, Head
from embedclf.errors import ArgumentError

Features = Literal["auto", "embedding", "words", "both"]

# How long the vector of a text's words is, beside the embedder's vector of length 1. With words alone, a longer one
# would be the same as a larger C.
SCALES: dict[Features, tuple[float, ...]] = {
    "auto": (0.0, 1.0, 2.0),
    "embedding": (0.0,),
    "words": (1.0,),
    "both": (1.0, 2.0),
}
# Beyond these, the solver only fights with the last digits of a float.
LEAST_C, MOST_C = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a classifier is to be fitted.

    Attributes
    ----------
    head : {"logistic", "centroid"}
    C : float or None
        None chooses it, or the head has none.
    features : {"auto", "embedding", "words", "both"}
        What of a text is used: its vector, its words, or both; "auto" chooses whether words are.
    label_names : bool or None
        Whether the name of each label is a training text, too; None chooses.
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
        """The lengths of the vectors of words to choose from; 0 leaves words out."""
        return SCALES[self.features]

    @property
    def uses_words(self) -> bool:
        """Whether n-grams are needed, to choose by at least."""
        return any(self.scales)


def check_recipe(
    head: str, regularization: float | str = "auto", features: str = "auto", label_names: bool | None = None
) -> Recipe:
    """Check that settings go together, and return them.

    Raises
    ------
    ArgumentError
    """
    if head not in HEADS:
        raise ArgumentError(f"there is no head {head!r}; there are {' and '.join(map(repr, HEADS))}")
    if features not in SCALES:
        raise ArgumentError(f"there are no features {features!r}; there are {', '.join(map(repr, SCALES))}")
    if regularization == "auto":
        return Recipe(head, None, features, label_names)
    if head == "centroid":
        raise ArgumentError("regularization belongs to the logistic head: the centroid head has none")
    try:
        C = float(regularization)
    except ValueError:
        C = math.nan
    if not LEAST_C <= C <= MOST_C:
        raise ArgumentError(
            f"regularization is scikit-learn's C, from {LEAST_C:g} to {MOST_C:g}, not {regularization!r}"
        )
    return Recipe(head, C, features, label_names)
