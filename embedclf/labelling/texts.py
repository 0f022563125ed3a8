"""Texts from Python as the rows of a file, to be labelled and written."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from embedclf.data.columns import as_text_column
from embedclf.data.corpus import Corpus
from embedclf.data.label_sets import LABEL_SEPARATOR, AnyLabels, LabelSet, as_label_sets, indicated_labels
from embedclf.data.rows import Row
from embedclf.data_frames import DataFrame, is_data_frame, texts_and_labels
from embedclf.errors import ArgumentError
from embedclf.formatting import counted
from embedclf.missing import is_missing
from embedclf.validation import check_texts, label_of


def corpus_of_texts(
    texts: DataFrame | Iterable[str],
    labels: AnyLabels | None,
    text: str | Sequence[str] | None,
    label: str | Sequence[str] | None,
) -> Corpus:
    """Return texts as the rows of a file; see `open_session` for the arguments.

    Raises
    ------
    ArgumentError
        If the numbers of texts and labels differ, or a data frame lacks a column.
    MissingValueError
        If a text is missing.
    TextError
        If a text has nothing to read.
    """
    own, of_texts = texts_and_labels(texts, labels, text=text, label=label)
    checked = check_texts(own)
    label_columns = () if label is None or isinstance(label, str) else tuple(label)
    if is_data_frame(texts):
        names = [str(name) for name in getattr(texts, "column_names", texts.columns)]
        columns = [_plain_values(texts[name]) for name in names]
        records: list[dict[str, Any]] = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    else:
        names, records = ["text"], [{"text": one} for one in checked]
    if len(label_columns) > 1:
        sets = [_indicated(record, label_columns) for record in records]
    else:
        sets = [None] * len(checked) if of_texts is None else _label_sets(of_texts)
    if len(sets) != len(checked):
        raise ArgumentError(f"got {counted(len(checked), 'text')} but {counted(len(sets), 'label')}")
    several = any(one is not None and len(one) != 1 for one in sets)
    label_column = label if isinstance(label, str) else label_columns[0] if len(label_columns) == 1 else "label"
    if of_texts is not None and not is_data_frame(texts):
        names.append(label_column)
        for record, one in zip(records, sets, strict=True):
            record[label_column] = None if one is None else [*one] if several else one[0]
    rows = [
        Row(number, record, one, LABEL_SEPARATOR.join(of or ()), None, labels=of if several else None)
        for number, (one, of, record) in enumerate(zip(checked, sets, records, strict=True), start=1)
    ]
    return Corpus(
        "",
        rows,
        names,
        has_bom=False,
        skipped=[],
        text_column=as_text_column(text) or "text",
        label_column=label_column if len(label_columns) < 2 and label_column in names else None,
        label_columns=label_columns if len(label_columns) > 1 else (),
        is_multilabel=several or len(label_columns) > 1,
    )


def _indicated(record: dict[str, Any], columns: Sequence[str]) -> LabelSet | None:
    labels, fault = indicated_labels(record, columns)
    if fault is not None:
        raise ArgumentError(fault)
    return labels


def _label_sets(labels: Any) -> list[LabelSet | None]:
    if is_data_frame(labels) or getattr(labels, "ndim", 1) == 2:
        return [*(as_label_sets(labels) or ())]
    return [_label_set(value) for value in _plain_values(labels)]


def _label_set(value: Any) -> LabelSet | None:
    if isinstance(value, Collection) and not isinstance(value, str):
        return tuple(sorted({label_of(one, "a label") for one in value}))
    return None if value is None or value == "" else (label_of(value),)


def _plain_values(column: Any) -> list[Any]:
    """Return the values of a column as JSON has them; what it has no value for, as text."""
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return [_plain(one) for one in value]
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float) else str(value)
