"""Reading Parquet with pyarrow, as rows of plain values."""

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from embedclf.data.open_file import OpenFile
from embedclf.data.parquet_types import (
    BATCH_ROWS,
    MAGIC,
    ParquetError,
    Record,
    label_names,
    one_line,
    pyarrow_or_error,
    with_parts,
)
from embedclf.data.reading import Reading
from embedclf.data.rows import numbered_names
from embedclf.data.source import Source, SourceRecord


class ParquetSource(Source):
    """The rows of an open Parquet file; their lines are their numbers, counted from 1.

    Parameters
    ----------
    file : OpenFile
        Must be seekable: Parquet stores the column names at the end.
    reading : Reading

    Attributes
    ----------
    label_names : dict of str to list of str
        Names of the labels that a column holds the numbers of, as Hugging Face's ``datasets`` writes them.

    Raises
    ------
    ParquetError
        If pyarrow is not installed, or the file is not of Parquet, is damaged, or has no columns.
    """

    header_line = None

    def __init__(self, file: OpenFile, reading: Reading) -> None:
        super().__init__(file, reading)
        if file.path is None:
            raise ParquetError("Parquet cannot be read from standard input: pass the path of the file with --input")
        if not file.start.startswith(MAGIC):
            raise ParquetError("not a Parquet file, despite its name")
        if file.is_packed:
            raise ParquetError("Parquet files are compressed already: decompress it first")
        self._pa = pyarrow_or_error()
        self._read = 0
        try:
            self._file = self._pa.parquet.ParquetFile(cast(BinaryIO, file.binary), pre_buffer=False)
        except (self._pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error
        self.schema = self._file.schema_arrow
        self.columns = list(self.schema.names)
        if not self.columns:
            raise ParquetError("the file has no columns")
        self.label_names = label_names(self.schema)
        self._n_rows: int = self._file.metadata.num_rows

    def _damaged(self, error: Exception) -> ParquetError:
        return ParquetError(f"the Parquet file is damaged or incomplete ({one_line(error)})")

    def not_text(self, column: str) -> str | None:
        """Return the name of a column's type if it is not a string type; None if it is."""
        of = self.schema.field(column).type
        types = self._pa.types
        plain = of.value_type if types.is_dictionary(of) else of
        kinds = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
        return None if any(is_kind(plain) for is_kind in kinds) else str(of)

    @property
    def text_columns(self) -> list[str]:
        """Names of the columns of strings."""
        return [name for name in self.columns if self.columns.count(name) > 1 or self.not_text(name) is None]

    @property
    def share_read(self) -> float:
        """The share of the rows that has been read, from 0 to 1."""
        return self._read / max(self._n_rows, 1)

    def __iter__(self) -> Iterator[SourceRecord]:
        keys = numbered_names(self.columns)
        batches = self._file.iter_batches(BATCH_ROWS)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                # Offsets in a damaged file may point outside it, and Arrow checks them only on request.
                batch.validate(full=True)
                columns = [
                    self._named(name, self._plain(column))
                    for name, column in zip(self.columns, batch.columns, strict=True)
                ]
            except (self._pa.ArrowException, OSError) as error:
                raise self._damaged(error) from error
            first = self._read + 1
            self._read += batch.num_rows
            for place, values in enumerate(zip(*columns, strict=True)):
                yield SourceRecord(first + place, dict(zip(keys, values, strict=True)), Record(batch, place))

    def _named(self, name: str, values: list[Any]) -> list[Any]:
        """Return the values of a column, with the names of labels for their numbers; −1 stands for no label."""
        names = self.label_names.get(name)
        if names is None or not all(value is None or isinstance(value, int) for value in values):
            return values
        named = dict(enumerate(names)) | {-1: None, None: None}
        return [named.get(value, value) for value in values]

    def _plain(self, column: Any) -> list[Any]:
        """Return a column's values as JSON types; values that JSON cannot represent become strings."""
        types, of = self._pa.types, column.type
        if types.is_dictionary(of):
            column, of = column.dictionary_decode(), of.value_type
        if types.is_duration(of):
            return [
                None if value is None else f"{value} {of.unit}" for value in column.cast(self._pa.int64()).to_pylist()
            ]
        if types.is_temporal(of) or types.is_decimal(of):
            # Python's datetime types have no nanoseconds.
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
        return [json.loads(json.dumps(value, default=_as_string), parse_constant=lambda _: None) for value in values]

    def _without_times(self, of: Any) -> Any:
        """Return a type with its times replaced by strings: Python has no nanoseconds and no year after 9999."""
        types = self._pa.types
        if types.is_duration(of):
            return self._pa.int64()
        if types.is_temporal(of) and not types.is_interval(of):
            return self._pa.string()
        return with_parts(self._pa, of, self._without_times)


def _as_string(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
