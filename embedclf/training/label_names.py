"""Names of labels as additional training texts."""

import re
from collections.abc import Sequence

from embedclf.training.recipe import Recipe

# With more texts per label, its name adds next to nothing, but must still be embedded and paid for.
MOST_ROWS_A_LABEL = 8
_LEAST_LETTERS = 3
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")


def label_name_texts(classes: Sequence[str]) -> list[str] | None:
    """Write the names of labels as texts: ``card_arrival`` as "card arrival".

    Return None if the names carry no meaning, for example because one is a number or has fewer than three letters.
    """
    texts = [_NO_WORD.sub(" ", _HUMP.sub(" ", name)).strip() for name in classes]
    if any(sum(map(str.isalpha, text)) < _LEAST_LETTERS for text in texts):
        return None
    return texts


def names_for(recipe: Recipe, classes: Sequence[str], n_texts: int) -> list[str]:
    """Return the names of labels as training texts; an empty list if they carry no meaning or are not to be used."""
    if recipe.label_names is False or (recipe.label_names is None and n_texts > MOST_ROWS_A_LABEL * len(classes)):
        return []
    return label_name_texts(classes) or []
