"""What reading and writing Parquet share: pyarrow, its types, and what goes wrong with it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from embedclf.errors import EmbedclfError

MAGIC = b"PAR1"
BATCH_ROWS = 4_096


class ParquetError(EmbedclfError):
    """pyarrow is not installed, or cannot read a file; whoever knows the file's name says it."""


class Record(NamedTuple):
    """Where a row stands as it was read: its batch, a ``pyarrow.RecordBatch``, and its place there, counted from 0."""

    batch: Any
    place: int


def pyarrow_or_error() -> Any:
    """Return the module ``pyarrow``, with those of its modules that are needed.

    Raises
    ------
    ParquetError
        If it is not installed.
    """
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ParquetError("Parquet needs pyarrow: pip install 'embedclf[parquet]'") from None
    return pyarrow


def with_parts(pa: Any, of: Any, changed: Callable[[Any], Any]) -> Any:
    """Give a nested type with the types of its parts changed; any other as it is."""
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


def in_a_line(error: Exception) -> str:
    """Write what pyarrow says in a line: it may repeat any bytes of the file."""
    said = " ".join(str(error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in said)
