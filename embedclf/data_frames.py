"""Data frames of pandas and Polars, without importing either before it is needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeGuard

from embedclf.errors import ArgumentError, EmbedclfError
from embedclf.missing import is_missing, join_parts

_TEXT, _LABEL = "text", "label"


class DataFrame(Protocol):
    """A data frame of pandas or Polars, as far as it is used here."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""

    def __getitem__(self, name: Any, /) -> Any: ...


def is_data_frame(value: object) -> TypeGuard[DataFrame]:
    """Return whether a value is a data frame: it has named columns, and rows."""
    return hasattr(value, "columns") and len(getattr(value, "shape", ())) == 2


def index_of(values: object) -> Any:
    """Return the index of the rows of a Series or data frame of pandas; None for everything else."""
    index = getattr(values, "index", None)  # lists have a method of this name
    return index if hasattr(index, "isin") else None


def check_order(values: object, name: str, index: Any) -> None:
    """Check that values of pandas have their rows in the order of the texts: they are taken by their place.

    Raises
    ------
    ArgumentError
        If they have the rows of the index of the texts, but in another order.
    """
    own = index_of(values)
    if own is None or index is None or len(own) != len(index) or own.equals(index):
        return
    if own.isin(index).all() and index.isin(own).all():
        raise ArgumentError(
            f"the index of {name} is that of the texts in another order: pass {name}.loc[texts.index], or "
            f"{name}.to_numpy() if the rows are in the order of the texts"
        )


def as_mapping(values: Any, name: str) -> Any:
    """Return a Series of pandas as a dict from its index to its values; anything else as it is.

    Raises
    ------
    ArgumentError
        If the index has something twice.
    """
    if (index := index_of(values)) is None or is_data_frame(values):
        return values
    if not index.is_unique:
        raise ArgumentError(f"{name} has {index[index.duplicated()][0]!r} twice")
    return dict(zip(index, values, strict=True))


@dataclass(frozen=True)
class JoinedColumns:
    """The texts of several columns of a data frame, each row joined to one; None if all of its parts are missing.

    Attributes
    ----------
    values : list of str or None
    name : tuple of str
        The names of the columns.
    index : object
        The index of the rows of a data frame of pandas; None for others.
    """

    values: Sequence[str | None]
    name: tuple[str, ...]
    index: Any

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.values)


def _joined(frame: DataFrame, names: Sequence[str]) -> JoinedColumns:
    columns = [list(frame[name]) for name in names]
    values = []
    for row, cells in enumerate(zip(*columns, strict=True)):
        parts = [cell for cell in cells if not is_missing(cell)]
        for name, cell in zip(names, cells, strict=True):
            if not isinstance(cell, str) and not is_missing(cell):
                raise TypeError(f"texts must be strings, but row {row} of {name!r} is of type {type(cell).__name__}")
        values.append(join_parts(parts) if parts else None)
    return JoinedColumns(values, tuple(names), getattr(frame, "index", None))


def columns_of(
    frame: DataFrame, text: str | Sequence[str] | None, label: str | Sequence[str] | None
) -> tuple[Any, Any]:
    """Return the columns of the texts and the labels.

    Parameters
    ----------
    frame : DataFrame
    text, label : str, sequence of str, or None
        Their names; None means "text" and "label". Several columns of texts are joined by line breaks; several columns
        of labels hold 0 and 1.

    Returns
    -------
    texts : Series or JoinedColumns
    labels : Series, DataFrame or None
        None if there is no column "label" and no other name was given.

    Raises
    ------
    ArgumentError
        If there is no such column.
    """
    names = [str(name) for name in getattr(frame, "column_names", frame.columns)]  # pyarrow's columns are the values
    parts: list[str | None] = [text] if text is None or isinstance(text, str) else list(text) or [None]
    labels: list[str | None] = [label] if label is None or isinstance(label, str) else list(label) or [None]
    wanted = [*((part, "text", _TEXT) for part in parts), *((part, "label", _LABEL) for part in labels)]
    for name, given, meaning in wanted:
        if (name or meaning) not in names and (name is not None or meaning == _TEXT):
            there = ", ".join(map(repr, names)) or "no columns"
            hint = "" if name is not None else f"; name the column of the {meaning}s with {given}="
            raise ArgumentError(f"the data frame has no column {name or meaning!r}, only {there}{hint}")
    if len(labels) > 1:
        of_labels = frame[[part or _LABEL for part in labels]]
    else:
        of_labels = frame[labels[0] or _LABEL] if labels[0] is not None or _LABEL in names else None
    texts = frame[parts[0] or _TEXT] if len(parts) == 1 else _joined(frame, [part or _TEXT for part in parts])
    return texts, of_labels


def texts_and_labels(
    texts: Iterable[str] | DataFrame,
    labels: Iterable[Any] | None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
) -> tuple[Any, Any]:
    """Return texts and labels, those of a data frame being two of its columns.

    Raises
    ------
    TypeError
        If labels are passed beside a data frame, or names of columns without one.
    ArgumentError
        If the data frame has no such column.
    """
    if is_data_frame(texts):
        if labels is not None:
            raise TypeError(
                "labels cannot be passed beside a data frame: name its columns with text= and label=, or pass one of "
                "them as the texts"
            )
        return columns_of(texts, text, label)
    for name, given in (("text", text), ("label", label)):
        if given is not None:
            raise TypeError(f"{name}= names a column, but the texts are no data frame")
    return texts, labels


def data_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Return rows as a data frame of pandas, or of Polars if only that is installed.

    Raises
    ------
    EmbedclfError
        If neither is installed.
    """
    values = {name: [row[name] for row in rows] for name in columns}
    for package in ("pandas", "polars"):
        try:
            library = import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
        else:
            return library.DataFrame(values)
    raise EmbedclfError("a data frame needs pandas or Polars, and neither is installed: pip install pandas")
