"""Parquet files, written by pyarrow: rows with columns added, type by type as they were.

What is written grows as an Arrow stream, which can go on after a break, and becomes a Parquet file at its end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from embedclf.data.parquet_types import BATCH_ROWS, ParquetError, Record, in_a_line, pyarrow_or_error, with_parts

# A group of rows is in memory when it is written, so it has no more rows and no more bytes.
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64_000_000


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
        pa = self._pa = pyarrow_or_error()
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
        return with_parts(self._pa, of, self._plainer)

    def start(self) -> bytes:
        """Give how the stream begins."""
        return bytes(self._in_stream.serialize())

    def add(self, own: Record | Sequence[Any], added: Sequence[Any]) -> bool:
        """Take a row; gives whether it is time to `take` some."""
        self._rows.append((own, added))
        return len(self._rows) >= BATCH_ROWS

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
                f"what stands beside it is damaged ({in_a_line(error)}): start anew, without --resume"
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
