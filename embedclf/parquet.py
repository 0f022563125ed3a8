"""Parquet files, by pyarrow: their rows as plain values, and rows with columns added, type by type as they were.

What is written grows as an Arrow stream, which can go on after a break, and becomes a Parquet file at its end.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from embedclf.errors import EmbedclfError

MAGIC = b"PAR1"

_BATCH_ROWS = 4_096
_GROUP_ROWS = 131_072


class ParquetError(EmbedclfError):
    """pyarrow is not installed, or cannot read a file; whoever knows the file's name says it."""


class Record(NamedTuple):
    """Where a row stands as it was read: its batch, a ``pyarrow.RecordBatch``, and its place there, counted from 0."""

    batch: Any
    place: int


def _arrow() -> Any:
    try:
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
        return ParquetError(f"it is not a whole Parquet file ({' '.join(str(error).split())[:200]})")

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

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Record]]:
        batches = self._file.iter_batches(_BATCH_ROWS)
        while True:
            try:
                batch = next(batches, None)
            except (self._pa.ArrowException, OSError) as error:
                raise self._damaged(error) from error
            if batch is None:
                return
            self._read += batch.num_rows
            columns = [self._plain(column) for column in batch.columns]
            for place, values in enumerate(zip(*columns, strict=True)):
                yield dict(zip(self.columns, values, strict=True)), Record(batch, place)

    def _plain(self, column: Any) -> list[Any]:
        """Give a column's values as JSON has them: what it has no word for as strings."""
        types, of = self._pa.types, column.type
        if types.is_dictionary(of):
            column, of = column.dictionary_decode(), of.value_type
        if types.is_temporal(of) or types.is_decimal(of):
            # Python's own times have no nanoseconds.
            if not (types.is_duration(of) or types.is_interval(of)):
                column = column.cast(self._pa.string())
            return [None if value is None else str(value) for value in column.to_pylist()]
        values: list[Any] = column.to_pylist()
        if types.is_string(of) or types.is_large_string(of) or types.is_integer(of) or types.is_boolean(of):
            return values
        if types.is_floating(of):
            return [value if value is None or math.isfinite(value) else None for value in values]
        return [json.loads(json.dumps(value, default=_told)) for value in values]


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
        own = list(schema) if self._carries else [pa.field(name, pa.string()) for name in columns]
        fields = [*own, *(pa.field(name, types[kind]) for name, kind in added.items())]
        self.schema = pa.schema(fields, metadata=schema.metadata if self._carries else None)
        # A stream names the values of a dictionary apart from its rows; here each part stands for itself.
        self._in_stream = pa.schema(
            [
                field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
                for field in fields
            ]
        )
        self._n_own = len(own)
        self._rows: list[tuple[Record | Sequence[Any], Sequence[Any]]] = []

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
            taken = rows[0][0].batch.take(pa.array([own.place for own, _ in rows], pa.int64()))
            columns = [
                column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                for column in taken.columns
            ]
        else:
            columns = [
                pa.array(map(_in_utf8, values), pa.string()) for values in zip(*(own for own, _ in rows), strict=True)
            ]
        added = zip(*(values for _, values in rows), strict=True)
        for field, values in zip(list(self._in_stream)[self._n_own :], added, strict=True):
            columns.append(pa.array(map(_in_utf8, values), field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self._in_stream)

    def convert(self, stream: BinaryIO, to: BinaryIO) -> None:
        """Make a Parquet file of the stream, one group of rows after another."""
        pa = self._pa
        with pa.ipc.open_stream(stream) as reader, pa.parquet.ParquetWriter(to, self.schema) as writer:
            batches: list[Any] = []
            for batch in reader:
                batches.append(batch)
                if sum(one.num_rows for one in batches) >= _GROUP_ROWS:
                    writer.write_table(self._typed(batches))
                    batches = []
            if batches:
                writer.write_table(self._typed(batches))

    def _typed(self, batches: list[Any]) -> Any:
        pa = self._pa
        table = pa.Table.from_batches(batches).combine_chunks()
        columns = []
        for column, field in zip(table.columns, self.schema, strict=True):
            if not pa.types.is_dictionary(field.type):
                columns.append(column)
                continue
            encoded = column.combine_chunks().dictionary_encode()
            indices = encoded.indices.cast(field.type.index_type)
            columns.append(pa.DictionaryArray.from_arrays(indices, encoded.dictionary, ordered=field.type.ordered))
        return pa.Table.from_arrays(columns, schema=self.schema)


def _in_utf8(value: Any) -> Any:
    """Write half a character as the escape by which JSON does."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
