"""Common parts of reading and writing Parquet: importing pyarrow, its types and its errors."""

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from embedclf.errors import EmbedclfError

MAGIC = b"PAR1"
BATCH_ROWS = 4_096


class ParquetError(EmbedclfError):
    """pyarrow is not installed, or cannot read a file. The caller adds the file's name."""


class Record(NamedTuple):
    """Origin of a row: its batch, a ``pyarrow.RecordBatch``, and its position in the batch, counted from 0."""

    batch: Any
    place: int


def pyarrow_or_error() -> Any:
    """Return the module ``pyarrow`` with its submodules ``compute`` and ``parquet`` imported.

    Raises
    ------
    ParquetError
        If pyarrow is not installed.
    """
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ParquetError("Parquet needs pyarrow: pip install 'embedclf[parquet]'") from None
    return pyarrow


def label_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of labels in the metadata that Hugging Face's ``datasets`` writes, by column."""
    names: dict[str, list[str]] = {}
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        for column, feature in features.items():
            of = feature.get("names") if feature.get("_type") == "ClassLabel" else None
            if isinstance(of, list) and all(isinstance(name, str) for name in of):
                names[column] = of
    return names


def with_parts(pa: Any, of: Any, changed: Callable[[Any], Any]) -> Any:
    """Return a nested type with `changed` applied to the types of its parts; any other type unchanged."""
    types = pa.types
    if types.is_struct(of):
        return pa.struct([field.with_type(changed(field.type)) for field in of])
    if types.is_map(of):
        key, item = (field.with_type(changed(field.type)) for field in (of.key_field, of.item_field))
        return pa.map_(key, item, keys_sorted=of.keys_sorted)
    if types.is_fixed_size_list(of):
        return pa.list_(of.value_field.with_type(changed(of.value_type)), of.list_size)
    if types.is_large_list(of):
        return pa.large_list(of.value_field.with_type(changed(of.value_type)))
    if types.is_list(of):
        return pa.list_(of.value_field.with_type(changed(of.value_type)))
    return of


def with_value(record: Record, column: str, value: str | list[Any]) -> Record:
    """Return a record with another value in one column, of that column's type: a list in a column of lists.

    Raises
    ------
    ParquetError
        If that type has no such value.
    """
    pa = pyarrow_or_error()
    batch = record.batch.slice(record.place, 1)
    number = batch.schema.get_field_index(column)
    of = batch.schema.field(number)
    names = label_names(batch.schema).get(column, [])
    if isinstance(value, str) and value in names:
        value = str(names.index(value))
    try:
        if isinstance(value, list):
            changed = pa.array([[*map(str, value)]], pa.list_(pa.string())).cast(of.type)
        else:
            changed = _array_of(pa, value, of.type, batch.column(number))
    except pa.ArrowException as error:
        raise ParquetError(
            f"the column {column!r} of type {of.type} cannot hold {value!r} ({one_line(error)})"
        ) from error
    return Record(batch.set_column(number, of, changed), 0)


def _array_of(pa: Any, value: str, of: Any, old: Any) -> Any:
    if not pa.types.is_dictionary(of):
        return pa.array([value], pa.string()).cast(of)
    # A known category keeps its place among the others, which may be ordered.
    categories = old.dictionary
    new = pa.array([value], pa.string()).cast(categories.type)
    place = categories.index(new[0]).as_py()
    if place < 0:
        place, categories = len(categories), pa.concat_arrays([categories, new])
    return pa.DictionaryArray.from_arrays(pa.array([place], of.index_type), categories, ordered=of.ordered)


def one_line(error: Exception) -> str:
    """Return pyarrow's message as one printable line: it may quote arbitrary bytes of the file."""
    message = " ".join(str(error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in message)
