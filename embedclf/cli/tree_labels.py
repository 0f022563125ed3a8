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
    from embedclf.classifier.hierarchy import as_written
    from embedclf.data.label_sets import LABEL_SEPARATOR, joined_labels

    written = as_written(corpus.given_labels, separator)
    cells = joined_labels(written, between or LABEL_SEPARATOR)
    rows = [
        replace(row, label=cell, labels=None if isinstance(labels, str) else tuple(labels))
        for row, labels, cell in zip(corpus.rows, written, cells, strict=True)
    ]
    return replace(corpus, rows=rows)
