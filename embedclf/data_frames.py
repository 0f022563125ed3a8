"""Data frames of pandas and Polars, without importing either before it is needed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from embedclf.errors import ArgumentError, EmbedclfError

_TEXT, _LABEL = "text", "label"


def is_data_frame(value: object) -> bool:
    """Return whether a value is a data frame: it has named columns, and rows."""
    return hasattr(value, "columns") and len(getattr(value, "shape", ())) == 2


def columns_of(frame: Any, text: str | None, label: str | None) -> tuple[Any, Any]:
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
