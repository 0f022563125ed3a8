"""The labels of a file that are in a tree, written in one way."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus


def rows_as_written(corpus: "Corpus", separator: str, between: str | None) -> "Corpus":
    """Return the same rows with nothing but the separator between the parts of their labels.

    Parameters
    ----------
    corpus : Corpus
    separator : str
        Of the tree.
    between : str or None
        What separates several labels of a text; None is the usual one.
    """
    from embedclf.classifier.hierarchy import as_written, sets_as_written
    from embedclf.data.label_sets import LABEL_SEPARATOR

    if (sets := corpus.label_sets) is not None:
        rows = [
            replace(row, label=(between or LABEL_SEPARATOR).join(labels), labels=labels)
            for row, labels in zip(corpus.rows, sets_as_written(sets, separator), strict=True)
        ]
    else:
        written = as_written(corpus.labels, separator)
        rows = [replace(row, label=label) for row, label in zip(corpus.rows, written, strict=True)]
    return replace(corpus, rows=rows)
