"""Writing Parquet with pyarrow: rows with columns added, keeping the types of the original columns.

Rows are written as an Arrow stream, which can be continued after an interruption, and converted to Parquet at the end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from embedclf.data.parquet_types import BATCH_ROWS, ParquetError, Record, one_line, pyarrow_or_error, with_parts
from embedclf.data.rows import cell_text

# A row group is held in memory while it is written, so its size is limited.
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64_000_000


class ParquetSink:
    """A converter from rows to an Arrow stream, and from that stream to a Parquet file.

    Parameters
    ----------
    columns : sequence of str
        Original columns of the rows.
    schema : pyarrow.Schema or None
        Schema of the original columns, if each row comes with its `Record`; None if they are strings.
    added : mapping of str to type
        Added columns, each with its type: `str`, `int`, `float`, or a list of `str` or `float`.

    Raises
    ------
    ParquetError
        If pyarrow is not installed.
    """

    name = "Parquet"

    def __init__(self, columns: Sequence[str], schema: Any, added: Mapping[str, type]) -> None:
        pa = self._pa = pyarrow_or_error()
        types: dict[Any, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        types |= {list[str]: pa.list_(pa.string()), list[float]: pa.list_(pa.float64())}
        self._carries = schema is not None
        own = list(schema) if self._carries else [pa.field(_escape_surrogates(name), pa.string()) for name in columns]
        fields = [*own, *(pa.field(_escape_surrogates(name), types[kind]) for name, kind in added.items())]
        self.schema = pa.schema(fields, metadata=schema.metadata if self._carries else None)
        self._in_stream = pa.schema([field.with_type(self._stream_type(field.type)) for field in fields])
        self._n_own = len(own)
        # Categories of each ordered categorical column, by its position. Each row group that is read lists all of them.
        self._orders: dict[int, Any] = {}
        self._rows: list[tuple[Record | Sequence[Any], Sequence[Any]]] = []

    def _stream_type(self, of: Any) -> Any:
        """Return the type that replaces a type in the stream."""
        types = self._pa.types
        # A stream stores dictionaries separately from the rows, but each part of it has to be complete in itself.
        if types.is_dictionary(of):
            return self._stream_type(of.value_type)
        # pyarrow cannot take rows out of views.
        if types.is_string_view(of):
            return self._pa.string()
        if types.is_binary_view(of):
            return self._pa.binary()
        return with_parts(self._pa, of, self._stream_type)

    def start(self) -> bytes:
        """Return the header of the stream."""
        return bytes(self._in_stream.serialize())

    def add(self, record: Record | None, own: Sequence[Any], added: Sequence[Any], line: int) -> bool:
        """Add a row, and return whether there are enough rows to `take`.

        Parameters
        ----------
        record : Record or None
            Where the row comes from in a Parquet file.
        own, added : sequence
            The values of its own columns, of any type, and of those that were added.
        line : int
        """
        if self._carries and record is not None:
            self._rows.append((record, added))
        else:
            texts = [value if isinstance(value, str) else cell_text(value) or None for value in own]
            self._rows.append((texts, added))
        return len(self._rows) >= BATCH_ROWS

    def take(self) -> bytes:
        """Return the rows added since the last call, as a part of the stream."""
        parts, start = [], 0
        while start < len(self._rows):
            end = start + 1
            if self._carries:
                batch = self._batch(start)
                while end < len(self._rows) and self._batch(end) is batch:
                    end += 1
            else:
                end = len(self._rows)
            parts.append(bytes(self._record_batch(self._rows[start:end]).serialize()))
            start = end
        self._rows.clear()
        return b"".join(parts)

    def _batch(self, number: int) -> Any:
        own = self._rows[number][0]
        return own.batch if isinstance(own, Record) else None

    def _record_batch(self, rows: list[tuple[Any, Sequence[Any]]]) -> Any:
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
                pa.array(map(_escape_surrogates, values), pa.string())
                for values in zip(*(own for own, _ in rows), strict=True)
            ]
        added = zip(*(values for _, values in rows), strict=True)
        for field, values in zip(list(self._in_stream)[self._n_own :], added, strict=True):
            columns.append(pa.array(map(_escape_surrogates, values), field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self._in_stream)

    def convert(self, stream: BinaryIO, to: BinaryIO) -> None:
        """Convert the stream to a Parquet file, one row group at a time.

        Raises
        ------
        ParquetError
            If the stream is damaged.
        """
        pa = self._pa
        try:
            with pa.ipc.open_stream(stream) as reader, pa.parquet.ParquetWriter(to, self.schema) as writer:
                batches: list[Any] = []
                for batch in reader:
                    batches.append(batch)
                    n_rows, n_bytes = sum(one.num_rows for one in batches), sum(one.nbytes for one in batches)
                    if n_rows >= _GROUP_ROWS or n_bytes >= _GROUP_BYTES:
                        writer.write_table(self._row_group(batches))
                        batches = []
                if batches:
                    writer.write_table(self._row_group(batches))
        except pa.ArrowException as error:
            raise ParquetError(
                f"the partial output beside it is damaged ({one_line(error)}): run without --resume to start over"
            ) from error

    def _row_group(self, batches: list[Any]) -> Any:
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


def _escape_surrogates(value: Any) -> Any:
    """Replace each lone surrogate by its JSON escape, since Arrow strings are UTF-8."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
