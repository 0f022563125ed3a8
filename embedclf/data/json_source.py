"""Reading JSON: an object on each line, an array of objects, or objects that take several lines each."""

import itertools
import json
from collections.abc import Iterator

from embedclf.data.columns import candidates, looks_like_header
from embedclf.data.damaged_lines import undamaged
from embedclf.data.formats import FormatError
from embedclf.data.headers import LOOKED_AT
from embedclf.data.json_shapes import json_problem, python_problem
from embedclf.data.jsonl_records import JsonRecord, is_python, jsonl_records
from embedclf.data.open_file import OpenFile
from embedclf.data.reading import Reading
from embedclf.data.source import Source, SourceRecord


class JsonSource(Source):
    """The objects of an open file of JSON; its columns are the keys of the first that has a text, or any key.

    Parameters
    ----------
    file : OpenFile
    reading : Reading

    Attributes
    ----------
    first : JsonRecord

    Raises
    ------
    FormatError
        If the file is empty, damaged, or has another shape than one object for each text.
    """

    is_table = False

    def __init__(self, file: OpenFile, reading: Reading) -> None:
        super().__init__(file, reading)
        records = map(self._undamaged, jsonl_records(file.lines()))
        ahead: list[JsonRecord] = []
        for one in itertools.islice(records, LOOKED_AT):
            ahead.append(one)
            keys = list(one.record)
            self.columns = self.columns or keys
            if reading.has_texts(keys):
                self.columns = keys
                break
        if not ahead:
            raise FormatError("the file is empty; expected JSON Lines, or an array of records")
        if len(ahead) == 1:
            ahead += itertools.islice(records, 1)
        self._check_shape(ahead[0], is_alone=len(ahead) == 1)
        self.first = ahead[0]
        self._records = itertools.chain(ahead, records)

    def __iter__(self) -> Iterator[SourceRecord]:
        if not self.columns:
            self._check_is_json(self.first.source)
        for one in self._records:
            # The source of what is no object cannot be written as one.
            source = one.source if one.fault is None or one.record else ""
            yield SourceRecord(one.line, one.record, source, one.fault)

    def _undamaged(self, one: JsonRecord) -> JsonRecord:
        if (damage := self.file.damaged.fault_of(one.line, [one.source])) is None:
            return one
        source = undamaged(one.source)
        return one._replace(fault=damage, source=source, record=json.loads(source) if one.record else {})

    def _check_shape(self, first: JsonRecord, *, is_alone: bool) -> None:
        """Check that the first record of a file does not have another shape that is known."""
        reading, names = self.reading, list(first.record)
        lacks_label = reading.labels == "needed" and not (
            reading.label_column or candidates(names, "label", reading.usual.label)
        )
        problem = json_problem(
            first.value or first.record,
            self.file.path,
            first.layout,
            is_alone=is_alone,
            lacks_column=lacks_label or not reading.has_texts(names),
        )
        if problem is not None:
            raise FormatError(problem)

    def _check_is_json(self, first: str) -> None:
        """Check that a file none of whose first records is an object has JSON at all."""
        if is_python(first):
            raise FormatError(python_problem(self.file.path))
        if looks_like_header(first):
            raise FormatError("this is not JSON; it looks like CSV: give it a name that ends in .csv")
