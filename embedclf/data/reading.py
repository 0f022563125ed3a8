"""How a file of texts is to be read: what was asked for, and what is usual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from embedclf.data.columns import DEFAULT, Columns, TextColumn, candidates, names_in
from embedclf.data.dialect import Quoting, check_dialect
from embedclf.data.formats import check_delimiter, check_encoding
from embedclf.data.label_map import RECORDED, LabelMap
from embedclf.errors import ArgumentError

Labels = Literal["needed", "optional", "none", "alone"]


@dataclass(frozen=True)
class Reading:
    """How to read a file of texts, with or without labels.

    Attributes
    ----------
    text_column, label_column : str or None
        The names of several columns of texts are a tuple; they are joined by line breaks. None finds the column: it is
        called as `usual` says, or ``text`` and ``label``, or is the only one with another usual name, such as
        ``Message`` or ``category``. What was found is logged.
    labels : {"needed", "optional", "none", "alone"}
        Whether a row without a label is an error, whether the column may be missing, too, and whether labels are read
        at all. "alone" needs them, but no texts if labels are all that the file has. A column that was asked for must
        exist, unless it is called ``label`` and optional.
    usual : Columns
        The names to look for first.
    delimiter : str or None
        None finds it in the header: a tab for ``.tsv`` and a comma otherwise, unless only another makes a header of it.
    encoding : str
        A byte order mark is accepted.
    header : bool
        Whether the first line of a CSV file has the names of the columns. Without it, they are ``1``, ``2``, …; a file
        is also read so if it lacks the column `usual.text`, and that is such a number.
    quoting : {"auto", "csv", "none"}
        Whether fields of CSV and TSV may be quoted; see `CsvRecords`. What was found is logged if there is no quoting.
    escape_char : str or None
        The character before a quote inside a quoted field, where such quotes are not doubled.
    label_separator : str or None
        What separates several labels in a cell; None takes only lists of labels for several.
    label_columns : tuple of str
        Columns that say of a label each, with 0 or 1, whether a text has it, instead of one column of labels.
    usual_label_columns : tuple of str
        Such columns to look for first, used if the file has any of them and `label_column` is None.
    label_map : LabelMap or None
        The labels to rename or join while the file is read; an empty new label leaves the rows out.

    Raises
    ------
    ArgumentError
        If no file can be read like this.
    """

    text_column: TextColumn | None = None
    label_column: str | None = None
    labels: Labels = "needed"
    usual: Columns = DEFAULT
    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    quoting: Quoting = "auto"
    escape_char: str | None = None
    label_separator: str | None = None
    label_columns: tuple[str, ...] = ()
    usual_label_columns: tuple[str, ...] = ()
    label_map: LabelMap | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        check_delimiter(self.delimiter)
        check_encoding(self.encoding)
        check_several_labels(self.label_column, self.label_separator, self.label_columns)
        check_dialect(self.quoting, self.escape_char, self.delimiter)

    def has_texts(self, header: Sequence[str]) -> bool:
        """Return whether a header has the column of the texts, or one that may hold them."""
        asked, usual = self.text_column, self.usual.text
        if self.labels == "alone" and len(header) == 1:
            return bool(candidates(header, "label", self.usual.label))
        if set(names_in(asked or usual)) <= set(header):
            return True
        return asked is None and bool(candidates(header, "text", usual, self.label_column))


def check_several_labels(column: str | None, separator: str | None, columns: Sequence[str]) -> None:
    """Check the settings for reading several labels of a text.

    Raises
    ------
    ArgumentError
        If they exclude each other, or the separator is blank.
    """
    if separator == "":
        raise ArgumentError("the label separator must be a character such as '|', not nothing")
    if not columns:
        return
    if column is not None or separator is not None:
        raise ArgumentError(
            "labels are either in columns of their own (label_columns), or in one (label_column, label_separator)"
        )
    if len(columns) == 1:
        raise ArgumentError(f"{columns[0]!r} alone is a column of one label, no or yes: name it with label_column")
    if twice := [name for name in columns if list(columns).count(name) > 1]:
        raise ArgumentError(f"the label column {twice[0]!r} was given twice")


DEFAULT_READING = Reading()


def as_read(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return how files are read, as a model file records it, as arguments of `Reading`."""
    reading = dict(recorded)
    if "label_map" in reading:
        reading["label_map"] = label_map = LabelMap(reading["label_map"])
        label_map.name = RECORDED
    return reading
