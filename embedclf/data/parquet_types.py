"""Common parts of reading and writing Parquet: importing pyarrow, its types and its errors."""

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


def with_parts(pa: Any, of: Any, changed: Callable[[Any], Any]) -> Any:
    """Return a nested type with `changed` applied to the types of its parts; any other type unchanged."""
    types = pa.types
    if types.is_struct(of):
        return pa.struct([field.with_type(changed(field.type)) for field in of.fields])
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


def one_line(error: Exception) -> str:
    """Return pyarrow's message as one printable line: it may quote arbitrary bytes of the file."""
    message = " ".join(str(error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in message)
