"""What a file is taken for: texts with one label each, or with several."""

import re
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.data.label_sets import (
    SEPARATORS,
    labels_in,
    likely_separator,
    listed_labels,
    split_labels,
    without_outside,
)
from embedclf.errors import DataError
from embedclf.formatting import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from embedclf.cli.file_options import FileOptions
    from embedclf.data.corpus import Corpus

# The fewest labels with another separator to suggest it.
_LEAST_CELLS = 2
_MOST_NAMED = 3
# From so many labels a text on, their mean has no decimals.
_MANY = 10
_LIKE_A_LIST = re.compile(r"\[[^]]*,[^]]*\]")


def check_separator(corpus: "Corpus", file: "FileOptions") -> None:
    """Check that the separator that was given stands in a label.

    Raises
    ------
    DataError
        If it does not; the message names one that does.
    """
    sets, separator = corpus.label_sets, file.label_separator
    if sets is None or separator is None or any(len(labels) > 1 for labels in sets):
        return
    if any(separator in str(row.record.get(corpus.label_column or "")) for row in corpus.rows):  # one label twice
        return
    single = [label for labels in sets for label in labels]
    advice = "Without --label-separator, each text has one label."
    if separator == corpus.dialect.delimiter:
        advice = "It separates the columns of this file."
    if (other := other_separator(single)) is not None:
        advice = f"Did you mean --label-separator '{other}'?"
    message = f"{corpus.name}: no label contains the separator {separator!r}. {advice}"
    raise DataError(message, source=corpus.name)


def other_separator(labels: "Sequence[str]") -> str | None:
    """Return what stands in some labels and may separate several; None if nothing does."""
    found = (one for one in SEPARATORS if sum(one in label for label in labels) >= _LEAST_CELLS)
    return next(found, None)


def shows_several(corpus: "Corpus") -> bool:
    """Return whether it shows in some rows that a text may have several labels: in their number, or in a list."""
    sets, column = corpus.label_sets, corpus.label_column
    if sets is None:
        return False
    if any(len(labels) != 1 for labels in sets):
        return True
    return column is not None and any(listed_labels(row.record.get(column)) is not None for row in corpus.rows)


def check_known(corpus: "Corpus", classes: "Collection[str]", tree: str | None) -> None:
    """Check that no label that a classifier does not know is several that it knows.

    Raises
    ------
    DataError
        If one is; the message names the separator.
    """
    unknown = labels_in(corpus.label_sets or ()) - set(classes)
    if (several := _several_of(unknown, set(classes), tree)) is not None:
        message = f"{corpus.name}: {several[0]!r} is several labels of the model. Use --label-separator '{several[1]}'"
        raise DataError(message, source=corpus.name)


def _several_of(labels: set[str], known: set[str], tree: str | None) -> tuple[str, str] | None:
    """Return a label that is some known ones with a separator between them, and that; None if there is none."""
    for label in sorted(labels):
        for separator in SEPARATORS:
            parts = set(split_labels(label, separator))
            if separator in label and separator != (tree or "").strip() and parts and parts <= known - {label}:
                return label, separator
    return None


def warn_of_missing_columns(corpus: "Corpus", classes: "Sequence[str]") -> None:
    """Warn of labels without a column in a file whose labels have columns: its texts count as not having them."""
    if corpus.label_columns and (missing := [name for name in classes if name not in corpus.label_columns]):
        without = f"no column {' or '.join(map(repr, missing[:3]))}{' …' if len(missing) > 3 else ''}"
        echo(f"Warning: {corpus.name} has {without}: all of its texts count as without the label", err=True)


def say_tree(labels: "Collection[str]", separator: str) -> None:
    """Print what labels in a tree are taken for."""
    from embedclf.classifier.hierarchy import parts_of
    from embedclf.training.checks import said_of_parents

    parts = [parts_of(label, separator) for label in labels]
    n_top, n_levels = len({first for first, *_ in parts}), max(map(len, parts), default=0)
    shown = separator.strip() or separator
    echo(f"Labels in a tree (separated by {shown!r}): {counted(n_levels, 'level')}, {n_top:,} at the top", err=True)
    if said := said_of_parents(labels, separator):
        echo(said, err=True)


def say_what_labels_are(
    corpus: "Corpus", file: "FileOptions", outside: str | None = None, tree: str | None = None
) -> None:
    """Print what a file of several labels a text is taken for; warn if one label looks like several.

    `outside` is the out-of-scope label, and `tree` separates the parts of labels in a tree.
    """
    sets, separator = corpus.label_sets, file.label_separator
    if sets is None:
        if (likely := likely_separator(corpus.labels)) is not None and tree is None:
            example = next(label for label in corpus.labels if likely in label.strip(likely))
            warning = f"{example!r} is taken for one label; if it is several, use --label-separator '{likely}'"
            if likely == "/":
                warning += ", and if it is in a tree, --label-hierarchy /"
            echo(f"Warning: {warning}", err=True)
        elif lists := [label for label in corpus.labels if _LIKE_A_LIST.fullmatch(label)]:
            advice = 'if it is a list of several, put each in quotes: ["a", "b"]'
            echo(f"Warning: {lists[0]!r} is taken for one label; {advice}", err=True)
        return
    sets = without_outside(sets, outside)
    found = labels_in(sets)
    how = f"separated by {separator!r}" if separator is not None else "in lists"
    if corpus.label_columns:
        how = f"in {len(corpus.label_columns)} columns"
    mean = sum(map(len, sets)) / len(sets)
    average = f"{mean:.2g}" if mean < _MANY else f"{mean:,.0f}"
    without = sum(not labels for labels in sets)
    none = f", {counted(without, 'text')} without any" if without else ""
    echo(f"Several labels per text ({how}): {average} on average{none}", err=True)
    if (several := _several_of(found, found, tree)) is not None:
        label, other = several
        echo(f"Warning: {label!r} is taken for one label, though the parts around {other!r} are labels, too", err=True)
    if never := [name for name in corpus.label_columns if name not in found | set(file.label_map or ())]:
        shown = ", ".join(map(repr, never[:_MOST_NAMED])) + (", …" if len(never) > _MOST_NAMED else "")
        echo(f"Warning: no text has the label {shown}: it cannot be learned", err=True)
