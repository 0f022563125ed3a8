"""Data frames of pandas and Polars, without importing either before it is needed."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeGuard

from embedclf.errors import ArgumentError, EmbedclfError

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


def columns_of(frame: DataFrame, text: str | None, label: str | None) -> tuple[Any, Any]:
    """Return the columns of the texts and the labels.

    Parameters
    ----------
    frame : DataFrame
    text, label : str or None
        Their names; None means "text" and "label".

    Returns
    -------
    texts : Series
    labels : Series or None
        None if there is no column "label" and no other name was given.

    Raises
    ------
    ArgumentError
        If there is no such column.
    """
    names = [str(name) for name in frame.columns]
    for name, given, meaning in ((text, "text", _TEXT), (label, "label", _LABEL)):
        if (name or meaning) not in names and (name is not None or meaning == _TEXT):
            there = ", ".join(map(repr, names)) or "no columns"
            hint = "" if name is not None else f"; name the column of the {meaning}s with {given}="
            raise ArgumentError(f"the data frame has no column {name or meaning!r}, only {there}{hint}")
    has_labels = label is not None or _LABEL in names
    return frame[text or _TEXT], frame[label or _LABEL] if has_labels else None


def texts_and_labels(
    texts: Iterable[str] | DataFrame, labels: Iterable[Any] | None, *, text: str | None = None, label: str | None = None
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
