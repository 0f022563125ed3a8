"""What a file is taken for: texts with one label each, or with several."""

from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.data.label_sets import SEPARATORS, likely_separator, listed_labels, without_outside
from embedclf.errors import DataError
from embedclf.formatting import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.cli.file_options import FileOptions
    from embedclf.data.corpus import Corpus

# The fewest labels with another separator to suggest it.
_LEAST_CELLS = 2


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
    single = [label for labels in sets for label in labels]
    advice = "Without --label-separator, each text has one label."
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


def warn_of_missing_columns(corpus: "Corpus", classes: "Sequence[str]") -> None:
    """Warn of labels without a column in a file whose labels have columns: its texts count as not having them."""
    if corpus.label_columns and (missing := [name for name in classes if name not in corpus.label_columns]):
        without = f"no column {' or '.join(map(repr, missing[:3]))}{' …' if len(missing) > 3 else ''}"
        echo(f"Warning: {corpus.name} has {without}: all of its texts count as without the label", err=True)


def say_what_labels_are(corpus: "Corpus", file: "FileOptions", outside: str | None = None) -> None:
    """Print what a file of several labels a text is taken for; warn if one label looks like several.

    `outside` is the out-of-scope label.
    """
    sets, separator = corpus.label_sets, file.label_separator
    if sets is None:
        if (likely := likely_separator(corpus.labels)) is not None:
            example = next(label for label in corpus.labels if likely in label.strip(likely))
            warning = f"{example!r} is taken for one label; if it is several, use --label-separator '{likely}'"
            echo(f"Warning: {warning}", err=True)
        return
    sets = without_outside(sets, outside)
    how = f"separated by {separator!r}" if separator is not None else "in lists"
    if corpus.label_columns:
        how = f"in {len(corpus.label_columns)} columns"
    mean = sum(map(len, sets)) / len(sets)
    without = sum(not labels for labels in sets)
    none = f", {counted(without, 'text')} without any" if without else ""
    echo(f"Several labels per text ({how}): {mean:.2g} on average{none}", err=True)
