"""Exports of the labelling tools Label Studio and doccano: each task becomes a row of plain columns.

The formats are those of Label Studio's guide (JSON, JSON-MIN and CSV) and of doccano's exporters.
"""

import contextlib
import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedclf.data.columns import Columns, candidates
from embedclf.data.dialect import Dialect
from embedclf.data.headers import LOOKED_AT
from embedclf.data.json_shapes import annotations_of, is_task
from embedclf.data.json_source import JsonSource
from embedclf.data.label_sets import LabelSet
from embedclf.data.source import Source, SourceRecord
from embedclf.formatting import counted, to_json

logger = logging.getLogger(__name__)

_OF_ANNOTATIONS = ("annotator", "annotation_id", "lead_time")
_NO_QUESTIONS = {*_OF_ANNOTATIONS, "created_at", "updated_at", "history", "agreement"}
_DOCCANO = {"id", "data", "label"}

Answer = Mapping[str, LabelSet]
"""What an annotator chose, by the name of the question."""


@dataclass(slots=True)
class _Task:
    """A text with the answers about it; its record may lack the columns of the answers."""

    line: int
    record: dict[str, Any]
    fault: str | None = None
    answers: list[Answer] = field(default_factory=list)


def rows_of_export(source: Source) -> Source:
    """Return the rows of an export if a file is one; else the file's records as they are."""
    if {*_OF_ANNOTATIONS, "id"} <= set(source.columns):
        return LabelStudioRows(source, _of_short_records)
    if isinstance(source, JsonSource) and is_task(source.first.record):
        return LabelStudioRows(source, _of_tasks)
    if set(source.columns) >= _DOCCANO and "text" not in source.columns and source.reading.text_column is None:
        source.found = source.found._replace(text="data")
        source.notes.append("texts in 'data', as doccano writes them")
    return source


class LabelStudioRows(Source):
    """The tasks of an export of Label Studio, as rows of their data and of a column for each question with choices.

    The lines of those in JSON are their numbers, counted from 1.

    Cancelled annotations do not count. If any is marked as ground truth, only such annotations count. If several
    remain, the majority answer is the label. Where labels are needed, tasks without one are left out: those that were
    skipped, not annotated, or tied between annotators.

    Parameters
    ----------
    source : Source
        The records of the file.
    as_tasks : function
        Turns them into tasks.
    """

    def __init__(self, source: Source, as_tasks: Callable[[Iterable[SourceRecord]], Iterator[_Task]]) -> None:
        super().__init__(source.file, source.reading)
        self._source = source
        self.header_line, self.is_table, self.has_header = source.header_line, source.is_table, source.has_header
        # Label Studio writes all of its JSON in one line, so a task is named by its number.
        numbered = (one._replace(line=number) for number, one in enumerate(source, 1))
        self._tasks = as_tasks(source if source.is_table else numbered)
        ahead = list(itertools.islice(self._tasks, LOOKED_AT))
        self._tasks = itertools.chain(ahead, self._tasks)
        self._questions = list(dict.fromkeys(name for task in ahead for answer in task.answers for name in answer))
        own = dict.fromkeys(source.columns if source.is_table else (name for task in ahead for name in task.record))
        self.columns = [*own, *(name for name in self._questions if name not in own)]
        self._n_without = self._n_disagreed = 0
        self._find_columns(ahead)

    def _find_columns(self, ahead: list[_Task]) -> None:
        reading, text, label = self.reading, "", ""
        if reading.text_column is None and not candidates(self.columns, "text", reading.usual.text):
            strings = {name for task in ahead for name, value in task.record.items() if isinstance(value, str)}
            strings -= {*self._questions, *_NO_QUESTIONS, "id"}
            text = strings.pop() if len(strings) == 1 else ""
        if reading.label_column is None and not reading.label_columns and len(self._questions) == 1:
            label = self._questions[0]
        self._label = reading.label_column or label
        self.found = Columns(text, label)
        shown = [f"{kind}s in {name!r}" for kind, name in (("text", text), ("label", label)) if name]
        self.notes = [*self._source.notes, "a Label Studio export", *shown]

    @property
    def dialect(self) -> Dialect:
        """How the fields of a CSV file are told apart."""
        return self._source.dialect

    @property
    def share_read(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; None if its size is unknown."""
        return self._source.share_read

    def header_problem(self) -> str | None:
        """Return that no labels are in the export, or what is wrong with the names of the columns; None if nothing."""
        if not self._questions and self.reading.labels in ("needed", "alone"):
            return "a Label Studio export in which no text has a choice; taxonomies, spans and ratings are not read"
        return self._source.header_problem()

    def __iter__(self) -> Iterator[SourceRecord]:
        needs_label = self.reading.labels in ("needed", "alone") and self._label in self._questions
        for task in self._tasks:
            record = dict(task.record)
            for name in self._questions:
                found = _agreed([answer[name] for answer in task.answers if name in answer])
                record[name] = self._value(found)
                if name == self._label and needs_label and found is None and task.fault is None:
                    break
            else:
                source = "" if self.is_table else to_json(record)
                yield SourceRecord(task.line, record, source, task.fault)
                continue
            if any(self._label in answer for answer in task.answers):
                self._n_disagreed += 1
            else:
                self._n_without += 1
        if self._n_without or self._n_disagreed:
            logger.warning("%s: left out %s", self.file.name, self._left_out())

    def _value(self, labels: LabelSet | None) -> Any:
        """Return the value of a column for some labels: several are a list, in a table as JSON."""
        if not self.is_table:
            return None if labels is None else labels[0] if len(labels) == 1 else list(labels)
        return "" if labels is None else labels[0] if len(labels) == 1 else to_json(labels)

    def _left_out(self) -> str:
        parts = []
        if self._n_without:
            parts.append(f"{counted(self._n_without, 'task')} without an answer (skipped or not annotated)")
        if self._n_disagreed:
            parts.append(f"{counted(self._n_disagreed, 'task')} with a tie between annotators")
        return " and ".join(parts)


def _agreed(answers: list[LabelSet]) -> LabelSet | None:
    """Return the labels that most annotators chose; None if nobody chose any, or in a tie."""
    most = Counter(answers).most_common(2)
    return most[0][0] if len(most) == 1 or (most and most[0][1] > most[1][1]) else None


def _of_tasks(records: Iterable[SourceRecord]) -> Iterator[_Task]:
    """Read tasks as Label Studio exports them in JSON, with all their annotations."""
    for one in records:
        record = one.record
        if one.fault is not None or not is_task(record):
            yield _Task(one.line, record, one.fault or "not a Label Studio task, unlike the first record")
            continue
        given = [note for note in annotations_of(record) if isinstance(note, dict) and not note.get("was_cancelled")]
        given = [note for note in given if note.get("ground_truth")] or given
        number = {"id": record["id"]} if "id" in record else {}
        answers = [answer for note in given if (answer := _answer(note.get("result")))]
        yield _Task(one.line, {**number, **record["data"]}, None, answers)


def _answer(result: Any) -> Answer:
    """Return what was chosen for a whole text in an annotation; not what was chosen for a part of it."""
    found: dict[str, LabelSet] = {}
    for part in result if isinstance(result, list) else []:
        value = part.get("value") if isinstance(part, dict) else None
        if isinstance(value, dict) and "start" not in value and (labels := _choices(value)):
            found[str(part.get("from_name", "label"))] = labels
    return found


def _choices(value: Any) -> LabelSet:
    """Return the labels in ``{"choices": […]}``, sorted; none if it is not that."""
    choices = value.get("choices") if isinstance(value, dict) else None
    return tuple(sorted({str(one) for one in choices})) if isinstance(choices, list) else ()


def _of_short_records(records: Iterable[SourceRecord]) -> Iterator[_Task]:
    """Read the records of JSON-MIN and CSV: one for each annotation, those of a task one after another."""
    for _, group in itertools.groupby(records, lambda one: (one.record.get("id"), one.fault)):
        first, *others = group
        task = _Task(first.line, dict(first.record), first.fault)
        if first.fault is None:
            task.answers = [answer for one in (first, *others) if (answer := _short_answer(one.record))]
            yield task
        else:
            yield from (_Task(one.line, one.record, one.fault) for one in (first, *others))


def _short_answer(record: Mapping[str, Any]) -> Answer:
    """Return the answers in a record: they are between its id and the annotator."""
    names = list(record)
    found: dict[str, LabelSet] = {}
    for name in names[names.index("id") + 1 :] if "id" in record else []:
        value = record[name]
        if name in _NO_QUESTIONS or not value:
            continue
        if isinstance(value, str) and value.startswith("{"):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value)
        if labels := (value,) if isinstance(value, str) else _choices(value):
            found[name] = labels
    return found
