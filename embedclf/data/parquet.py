"""Parquet files, by pyarrow: their rows as plain values, and rows with columns added, type by type as they were.

What is written grows as an Arrow stream, which can go on after a break, and becomes a Parquet file at its end.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from embedclf.errors import EmbedclfError

MAGIC = b"PAR1"

_BATCH_ROWS = 4_096
# A group of rows is in memory when it is written, so it has no more rows and no more bytes.
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64_000_000


class ParquetError(EmbedclfError):
    """pyarrow is not installed, or cannot read a file; whoever knows the file's name says it."""


class Record(NamedTuple):
    """Where a row stands as it was read: its batch, a ``pyarrow.RecordBatch``, and its place there, counted from 0."""

    batch: Any
    place: int


def _arrow() -> Any:
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ParquetError("Parquet needs pyarrow: pip install 'embedclf[parquet]'") from None
    return pyarrow


class ParquetSource:
    """An open Parquet file; iterate over it for its rows, once.

    Parameters
    ----------
    file : binary file
        One that can be gone back in: the columns are named at its end.

    Attributes
    ----------
    schema : pyarrow.Schema
    columns : list of str
        Several may have one name.
    n_rows : int

    Raises
    ------
    ParquetError
        If pyarrow is not installed, or the file is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._pa = _arrow()
        self._read = 0
        try:
            self._file = self._pa.parquet.ParquetFile(file, pre_buffer=False)
        except (self._pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error
        self.schema = self._file.schema_arrow
        self.columns: list[str] = list(self.schema.names)
        self.n_rows: int = self._file.metadata.num_rows

    def _damaged(self, error: Exception) -> ParquetError:
        return ParquetError(f"it is not a whole Parquet file ({_said(error)})")

    def not_text(self, column: str) -> str | None:
        """Name the type of a column that does not hold strings; None if it does."""
        of = self.schema.field(column).type
        types = self._pa.types
        plain = of.value_type if types.is_dictionary(of) else of
        kinds = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
        return None if any(is_kind(plain) for is_kind in kinds) else str(of)

    @property
    def share_read(self) -> float:
        """How much of the rows has been read, from 0 to 1."""
        return self._read / max(self.n_rows, 1)

    def __iter__(self) -> Iterator[tuple[Sequence[Any], Record]]:
        batches = self._file.iter_batches(_BATCH_ROWS)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                # What is damaged may refer to what is not there; Arrow looks only when it is asked to.
                batch.validate(full=True)
                columns = [self._plain(column) for column in batch.columns]
            except (self._pa.ArrowException, OSError) as error:
                raise self._damaged(error) from error
            self._read += batch.num_rows
            for place, values in enumerate(zip(*columns, strict=True)):
                yield values, Record(batch, place)

    def _plain(self, column: Any) -> list[Any]:
        """Give a column's values as JSON has them: what it has no word for as strings."""
        types, of = self._pa.types, column.type
        if types.is_dictionary(of):
            column, of = column.dictionary_decode(), of.value_type
        if types.is_duration(of):
            return [
                None if value is None else f"{value} {of.unit}" for value in column.cast(self._pa.int64()).to_pylist()
            ]
        if types.is_temporal(of) or types.is_decimal(of):
            # Python's own times have no nanoseconds.
            if not types.is_interval(of):
                column = column.cast(self._pa.string())
            return [None if value is None else str(value) for value in column.to_pylist()]
        if types.is_nested(of):
            column = column.cast(self._without_times(of))
        values: list[Any] = column.to_pylist()
        if types.is_string(of) or types.is_large_string(of) or types.is_integer(of) or types.is_boolean(of):
            return values
        if types.is_floating(of):
            return [value if value is None or math.isfinite(value) else None for value in values]
        return [json.loads(json.dumps(value, default=_told), parse_constant=lambda _: None) for value in values]

    def _without_times(self, of: Any) -> Any:
        """Give a type with strings where times are: Python's own know no nanoseconds, and no year after 9999."""
        types = self._pa.types
        if types.is_duration(of):
            return self._pa.int64()
        if types.is_temporal(of) and not types.is_interval(of):
            return self._pa.string()
        return _with_parts(self._pa, of, self._without_times)


def _with_parts(pa: Any, of: Any, changed: Callable[[Any], Any]) -> Any:
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


def _said(error: Exception) -> str:
    """Write what pyarrow says in a line: it may repeat any bytes of the file."""
    said = " ".join(str(error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in said)


def _told(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


class ParquetSink:
    """Makes an Arrow stream of rows, part by part.

    Parameters
    ----------
    columns : sequence of str
        The rows' own.
    schema : pyarrow.Schema or None
        Theirs as they were read, where each row comes with its `Record`; None takes strings.
    added : mapping of str to type
        The columns that are added, and `str`, `int` or `float`.

    Raises
    ------
    ParquetError
        If pyarrow is not installed.
    """

    def __init__(self, columns: Sequence[str], schema: Any, added: Mapping[str, type]) -> None:
        pa = self._pa = _arrow()
        types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        self._carries = schema is not None
        own = list(schema) if self._carries else [pa.field(_in_utf8(name), pa.string()) for name in columns]
        fields = [*own, *(pa.field(_in_utf8(name), types[kind]) for name, kind in added.items())]
        self.schema = pa.schema(fields, metadata=schema.metadata if self._carries else None)
        self._in_stream = pa.schema([field.with_type(self._plainer(field.type)) for field in fields])
        self._n_own = len(own)
        # Of columns of ordered categories: these, by the column's place. What is read names all in each group of rows.
        self._orders: dict[int, Any] = {}
        self._rows: list[tuple[Record | Sequence[Any], Sequence[Any]]] = []

    def _plainer(self, of: Any) -> Any:
        """Give the type by which one stands in the stream."""
        types = self._pa.types
        # A stream names the values of a dictionary apart from its rows; here each part stands for itself.
        if types.is_dictionary(of):
            return self._plainer(of.value_type)
        # Of views, no rows can be taken out.
        if types.is_string_view(of):
            return self._pa.string()
        if types.is_binary_view(of):
            return self._pa.binary()
        return _with_parts(self._pa, of, self._plainer)

    def start(self) -> bytes:
        """Give how the stream begins."""
        return bytes(self._in_stream.serialize())

    def add(self, own: Record | Sequence[Any], added: Sequence[Any]) -> bool:
        """Take a row; gives whether it is time to `take` some."""
        self._rows.append((own, added))
        return len(self._rows) >= _BATCH_ROWS

    def take(self) -> bytes:
        """Give the rows that have come since the last time, as a part of the stream."""
        parts, start = [], 0
        while start < len(self._rows):
            end = start + 1
            if self._carries:
                batch = self._batch(start)
                while end < len(self._rows) and self._batch(end) is batch:
                    end += 1
            else:
                end = len(self._rows)
            parts.append(bytes(self._made(self._rows[start:end]).serialize()))
            start = end
        self._rows.clear()
        return b"".join(parts)

    def _batch(self, number: int) -> Any:
        own = self._rows[number][0]
        return own.batch if isinstance(own, Record) else None

    def _made(self, rows: list[tuple[Any, Sequence[Any]]]) -> Any:
        pa = self._pa
        if self._carries:
            places = pa.array([own.place for own, _ in rows], pa.int64())
            columns = []
            for number, column in enumerate(rows[0][0].batch.columns):
                if pa.types.is_dictionary(column.type) and column.type.ordered:
                    self._orders[number] = column.dictionary
                columns.append(_cast(pa, column, self._in_stream.field(number).type).take(places))
        else:
            columns = [
                pa.array(map(_in_utf8, values), pa.string()) for values in zip(*(own for own, _ in rows), strict=True)
            ]
        added = zip(*(values for _, values in rows), strict=True)
        for field, values in zip(list(self._in_stream)[self._n_own :], added, strict=True):
            columns.append(pa.array(map(_in_utf8, values), field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self._in_stream)

    def convert(self, stream: BinaryIO, to: BinaryIO) -> None:
        """Make a Parquet file of the stream, one group of rows after another.

        Raises
        ------
        ParquetError
            If it is damaged.
        """
        pa = self._pa
        try:
            with pa.ipc.open_stream(stream) as reader, pa.parquet.ParquetWriter(to, self.schema) as writer:
                batches: list[Any] = []
                for batch in reader:
                    batches.append(batch)
                    n_rows, n_bytes = sum(one.num_rows for one in batches), sum(one.nbytes for one in batches)
                    if n_rows >= _GROUP_ROWS or n_bytes >= _GROUP_BYTES:
                        writer.write_table(self._typed(batches))
                        batches = []
                if batches:
                    writer.write_table(self._typed(batches))
        except pa.ArrowException as error:
            raise ParquetError(
                f"what stands beside it is damaged ({_said(error)}): start anew, without --resume"
            ) from error

    def _typed(self, batches: list[Any]) -> Any:
        pa = self._pa
        table = pa.Table.from_batches(batches).combine_chunks()
        columns = []
        for number, (column, field) in enumerate(zip(table.columns, self.schema, strict=True)):
            if not pa.types.is_dictionary(field.type):
                columns.append(_cast(pa, column, field.type))
                continue
            column = column.combine_chunks()
            indices, values = None, self._orders.get(number)
            if values is not None:
                indices = pa.compute.index_in(column, value_set=values)
            if indices is None or indices.null_count > column.null_count:
                encoded = column.dictionary_encode()
                indices, values = encoded.indices, encoded.dictionary
            indices = indices.cast(field.type.index_type)
            columns.append(pa.DictionaryArray.from_arrays(indices, values, ordered=field.type.ordered))
        return pa.Table.from_arrays(columns, schema=self.schema)


def _cast(pa: Any, column: Any, to: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if column.type.equals(to) else column.cast(to)


def _in_utf8(value: Any) -> Any:
    """Write half a character as the escape by which JSON does."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
