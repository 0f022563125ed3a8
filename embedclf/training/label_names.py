"""Names and descriptions of labels as additional training texts."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple, TypeAlias

from embedclf.classifier.hierarchy import as_written, tree_fault
from embedclf.data_frames import DataFrame, index_of, is_data_frame
from embedclf.errors import ArgumentError, TrainingError
from embedclf.missing import is_missing
from embedclf.training.checks import check_classes
from embedclf.training.recipe import Recipe
from embedclf.validation import label_of, text_fault

logger = logging.getLogger(__name__)

# With more texts per label, its name adds next to nothing, but must still be embedded and paid for.
MOST_ROWS_A_LABEL = 8
_LEAST_LETTERS, _MOST_NAMED = 3, 5
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")

Described: TypeAlias = Mapping[str, Sequence[str]]
"""The descriptions of labels, none of which need be there: the name of a label may say enough."""
LabelTexts: TypeAlias = Mapping[str, str | Sequence[str] | None] | Iterable[str] | DataFrame
"""What may be passed as such descriptions."""


class LabelText(NamedTuple):
    """A text that stands for a label: its name, its description, or both."""

    label: str
    text: str


def label_name_texts(classes: Sequence[str]) -> list[str] | None:
    """Write the names of labels as texts: ``card_arrival`` as "card arrival".

    Return None if the names carry no meaning, for example because one is a number or has fewer than three letters.
    """
    texts = [_NO_WORD.sub(" ", _HUMP.sub(" ", name)).strip() for name in classes]
    if any(sum(map(str.isalpha, text)) < _LEAST_LETTERS for text in texts):
        return None
    return texts


def texts_of(labels: Iterable[str], described: Described) -> list[LabelText]:
    """Return what is said of labels as texts: "refund: wants money back", once for each description of a label.

    A label without a description has its name, if that carries a meaning.
    """
    found = []
    for label in labels:
        (name,) = label_name_texts([label]) or [""]
        texts = [f"{name}: {text}" if name else text for text in described.get(label, ())]
        found += [LabelText(label, text) for text in texts or filter(None, [name])]
    return found


def labels_without_rows(described: Described | None, classes: Iterable[str]) -> list[str]:
    """Return the labels that are described, but not among the classes of the rows."""
    return sorted(set(described or ()) - set(classes))


def described_in_tree(described: Described, separator: str) -> dict[str, tuple[str, ...]]:
    """Return the descriptions of labels of a tree by their names as `as_written` writes them.

    Raises
    ------
    TrainingError
        If a label has an empty part.
    """
    found: dict[str, tuple[str, ...]] = {}
    for label, texts in described.items():
        if fault := tree_fault(label, separator):
            raise TrainingError(f"--labels (label_texts=…): {fault}")
        (name,) = as_written([label], separator)
        found[name] = (*found.get(name, ()), *texts)
    return found


def names_for(
    recipe: Recipe, classes: Sequence[str], n_texts: int, described: Described | None = None
) -> list[LabelText]:
    """Return what is said of labels as training texts.

    Parameters
    ----------
    recipe : Recipe
        Whether to use it for labels that have rows.
    classes : sequence of str
        The labels that have rows.
    n_texts : int
        How many rows there are: None of the recipe decides by that.
    described : mapping of str to sequence of str, optional
        Descriptions of labels, also of some that have no rows; None uses the names of `classes`, if all of them carry
        a meaning.

    Returns
    -------
    list of LabelText
        First those of `classes`, in their order, unless they are not to be used; then those of labels without rows.
    """
    of_rows: list[LabelText] = []
    if is_named(recipe, classes, n_texts):
        if described is None:
            names = label_name_texts(classes) or []
            return [LabelText(*one) for one in zip(classes, names, strict=False)]
        of_rows = texts_of(classes, described)
    return of_rows + texts_of(labels_without_rows(described, classes), described or {})


def is_named(recipe: Recipe, classes: Sequence[str], n_texts: int) -> bool:
    """Return whether what is said of labels that have rows may be used."""
    if recipe.label_names is None:
        return n_texts <= MOST_ROWS_A_LABEL * len(classes)
    return recipe.label_names


def check_label_texts(given: LabelTexts) -> dict[str, tuple[str, ...]]:
    """Return the descriptions of labels by their names, with none for a label that has none.

    Raises
    ------
    TypeError
        If they are neither a mapping, nor labels, nor a data frame.
    ArgumentError
        If a description cannot be embedded, or a data frame has no column "label".
    """
    pairs: Iterable[tuple[object, object]]
    if is_data_frame(given):
        columns, index = [str(name) for name in given.columns], index_of(given)
        is_indexed = "label" not in columns and getattr(index, "name", None) == "label"
        if "label" not in columns and not is_indexed:
            raise ArgumentError(f"label_texts has no column 'label', only {', '.join(map(repr, columns))}")
        texts = given["description"] if "description" in columns else [None] * given.shape[0]
        pairs = zip(index if is_indexed else given["label"], texts, strict=True)
    elif isinstance(given, Mapping):
        pairs = given.items()
    elif isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"label_texts must be a dict of labels or a list of them, not {type(given).__name__}")
    elif _is_by_label(given):
        pairs = zip(index_of(given), given, strict=True)
    else:
        pairs = [(label, None) for label in given]
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        label = label_of(name, "a label of label_texts")
        if fault := text_fault(label, "label"):
            raise ArgumentError(f"label_texts: {fault}: {label!r}")
        found[label] = found.get(label, ()) + _descriptions(label, value)
    return found


def _is_by_label(given: object) -> bool:
    """Return whether a Series of pandas has descriptions by their labels, rather than labels in rows of any index."""
    if (index := index_of(given)) is None or getattr(given, "name", None) == "label":
        return False
    return (
        index.name == "label"
        or getattr(given, "name", None) == "description"
        or any(isinstance(one, str) for one in index)
    )


def _descriptions(label: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or is_missing(value):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, Mapping | Set):
        raise TypeError(f"label_texts[{label!r}] must be a string or a list of them, not {type(value).__name__}")
    texts = [text for text in value if text != "" and not is_missing(text)]
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"label_texts[{label!r}] must be a string or a list of them, not of {type(text).__name__}")
        if fault := text_fault(text):
            raise ArgumentError(f"label_texts[{label!r}]: {fault}")
    return tuple(texts)


def check_described(described: Described, classes: Sequence[str] = ()) -> None:
    """Check that labels without rows can be learned from what is said of them.

    Parameters
    ----------
    described : mapping of str to sequence of str
    classes : sequence of str
        The labels that have rows.

    Raises
    ------
    TrainingError
        If there are fewer than two labels in all, one has nothing that says what it means, or two have the same text.
    """
    check_classes(sorted({*described, *classes}))
    alone = labels_without_rows(described, classes)
    said = texts_of(alone, described)
    if dumb := sorted(set(alone) - {label for label, _ in said}):
        one = len(dumb) == 1
        raise TrainingError(
            f"{'the label' if one else 'the labels'} {named(dumb)} {'has a name' if one else 'have names'} that "
            f"{'says' if one else 'say'} nothing, and no {'description' if one else 'descriptions'}: describe "
            f"{'it' if one else 'them'} in the column 'description' of --labels (label_texts=)"
        )
    label_of_text: dict[str, str] = {}
    for label, text in said:
        if (other := label_of_text.setdefault(text.casefold(), label)) != label:
            raise TrainingError(f"the labels {other!r} and {label!r} have the same text, {text[:60]!r}: describe both")


def tell_of_labels(recipe: Recipe, classes: Sequence[str], described: Described, n_texts: int) -> None:
    """Log what the texts of labels are used for, and which labels lack rows or texts."""
    alone = labels_without_rows(described, classes)
    written = {label.casefold(): label for label in classes}
    for label in alone:
        if (other := written.get(label.casefold())) is not None:
            logger.warning("the label %r differs from %r of the rows only in case: both are classes", label, other)
    if alone:
        logger.info(
            "No rows of %s: learned from %s alone, which the held-out test does not cover.",
            named(alone),
            "its text" if len(alone) == 1 else "their texts",
        )
    if lacking := sorted(set(classes) - set(described)):
        logger.info("Not among the described labels, so learned from rows, or the name, alone: %s.", named(lacking))
    if recipe.label_names is None and not is_named(recipe, classes, n_texts) and set(classes) & set(described):
        logger.info(
            "With more than %d rows per label, only labels without rows are learned from their texts "
            "(--label-names uses all of them).",
            MOST_ROWS_A_LABEL,
        )


def named(labels: Sequence[str]) -> str:
    """Return some labels as they are named in messages."""
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(map(repr, labels[:_MOST_NAMED])) + more
