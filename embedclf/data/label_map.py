"""Renaming and joining labels while a file is read."""

import csv
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

from embedclf.data.columns import common_delimiter, shown_delimiter
from embedclf.data.excel_sheet import Sheet
from embedclf.data.foreign_files import ZIP_MAGIC
from embedclf.data.label_sets import LABEL_SEPARATOR, LabelSet
from embedclf.data.open_file import OpenFile, usual_encoding
from embedclf.data.parquet_types import ParquetError, Record
from embedclf.data.rows import Row, relabelled
from embedclf.errors import ArgumentError, DataError, EmbedclfError
from embedclf.formatting import counted
from embedclf.missing import is_missing
from embedclf.validation import label_of, text_fault

logger = logging.getLogger(__name__)

# Usual names of both columns, casefolded and without spaces, underscores and hyphens.
_OLD = ("old", "oldlabel", "oldname", "from", "label", "original", "originallabel", "before", "source", "current")
_NEW = ("new", "newlabel", "newname", "to", "renamed", "after", "target", "mapped", "mappedto", "replacement")
_LOOKED_AT = 20
RECORDED = "the model's label map"
"""The name of a map that a model file records. Nobody writes it now, so nothing is said of its old labels."""
_MOST_NAMED = 5
_COLUMNS = 2


class LabelMap(dict[str, str]):
    """The new label of each old one; an empty one leaves the rows with the old label out.

    Attributes
    ----------
    name : str
        Where it is from, for messages.
    """

    name = "the label map"


class _Entry(NamedTuple):
    """One label and what becomes of it, and where in a file that stands."""

    old: Any
    new: Any
    line: int | None = None


def as_label_map(given: Mapping[Any, Any] | str | os.PathLike[str] | None) -> LabelMap | None:
    """Return the new label of each old one, from a mapping or a file.

    A file is CSV, TSV, JSON or Excel, with the columns ``old`` and ``new`` (or ``from`` and ``to``, ``label`` and
    ``new_label``), or with two columns and no header. A JSON object may also have old labels as its keys.

    Raises
    ------
    DataError
        If the file cannot be read, or has no two columns.
    ArgumentError, DataError
        If a label is given twice with different new ones, or cannot be a label.
    """
    if given is None or isinstance(given, LabelMap):
        return given
    if isinstance(given, Mapping):
        return _checked([_Entry(old, new) for old, new in given.items()], LabelMap.name, ArgumentError)
    name = os.fspath(given)
    file = OpenFile(given, usual_encoding(given))
    try:
        if file.start.startswith(ZIP_MAGIC):
            with file.as_data_errors():
                rows = [(row.line, row.fields) for row in Sheet(file)]
            return _checked(_of_rows(rows, file, ","), name, partial(DataError, source=name))
        with file.as_data_errors():
            lines = list(file.lines())
        if file.damaged.found:
            raise file.error("not in UTF-8: save it as UTF-8", file.damaged.found[0].line)
        if not any(map(str.strip, lines)):
            raise file.error("the file is empty; expected the columns old and new")
        is_json = lines[0].lstrip().startswith(("{", "["))
        entries = _of_json("".join(lines), file) if is_json else _of_table(lines, file)
    finally:
        file.close()
    return _checked(entries, name, partial(DataError, source=name))


def _of_json(text: str, file: OpenFile) -> list[_Entry]:
    try:
        found = _parsed(text)
    except ValueError:
        try:
            found = [_parsed(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise file.error(f"this is not JSON ({error})") from None
    except RecursionError:
        raise file.error("its JSON is nested too deeply") from None
    is_record = isinstance(found, _Pairs) and len(found) == _COLUMNS and _places([name for name, _ in found])
    if isinstance(found, _Pairs) and not is_record:
        return [_Entry(old, new) for old, new in found]
    entries = []
    for number, record in enumerate([found] if isinstance(found, _Pairs) else found, 1):
        names = [name for name, _ in record] if isinstance(record, _Pairs) else []
        places = _places(names)
        if places is None:
            named = ", ".join(map(repr, names)) or "none"
            raise file.error(f"record {number} has no keys old and new (found: {named})")
        entries.append(_Entry(*(record[place][1] for place in places)))
    return entries


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of a JSON object, of which a key may occur twice."""


def _parsed(text: str) -> Any:
    """Return the value of some JSON, with numbers as they are written."""
    return json.loads(text, object_pairs_hook=_Pairs, parse_float=str, parse_int=str)


def _of_table(lines: list[str], file: OpenFile) -> list[_Entry]:
    usual = "\t" if "\t" in lines[0] else ","
    delimiter = common_delimiter(lines[:_LOOKED_AT], usual) or usual
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    rows: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                rows.append((before + 1, fields))
            before = reader.line_num
    except csv.Error as error:
        raise file.error(f"its quoting is invalid ({error})", before + 1) from None
    return _of_rows(rows, file, delimiter)


def _of_rows(rows: list[tuple[int, list[str]]], file: OpenFile, delimiter: str) -> list[_Entry]:
    header = rows[0][1]
    places = _places(header)
    if places is None:
        if len(header) != _COLUMNS:
            shown = ", ".join(repr(name[:60]) for name in header)
            raise file.error(f"no columns old and new (found: {shown}); without a header, two columns are needed", 1)
        places = (0, 1)
    else:
        del rows[0]
    for line, fields in rows:
        if len(fields) != len(header):
            size = f"{counted(len(fields), 'field')} instead of {len(header)}"
            if len(fields) > len(header):
                raise file.error(f"{size}: put quotes around a label that contains {shown_delimiter(delimiter)}", line)
            raise file.error(f"{size}: for an empty new label, write {fields[0]}{delimiter}", line)
    return [_Entry(fields[places[0]], fields[places[1]], line) for line, fields in rows]


def _places(header: Sequence[str]) -> tuple[int, int] | None:
    """Return where the old and the new labels are in a header; None if it is none."""
    bare = ["".join(sign for sign in name.casefold() if sign.isalnum()) for name in header]
    found = [next((bare.index(name) for name in names if name in bare), None) for names in (_OLD, _NEW)]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def _checked(entries: Iterable[_Entry], name: str, error: Callable[[str], EmbedclfError]) -> LabelMap:
    """Return entries as a map.

    Raises
    ------
    EmbedclfError
        The error that is given, if an entry is no label, or contradicts another.
    """
    found, lines = LabelMap(), dict[str, int | None]()
    found.name = name
    same = []

    def fault(entry: _Entry, problem: str) -> EmbedclfError:
        return error(f"{name}{'' if entry.line is None else f':{entry.line}'}: {problem}")

    for entry in entries:
        old, new = (_label(value) for value in entry[:2])
        if old is None or new is None:
            wrong = entry.old if old is None else entry.new
            raise fault(entry, f"a label must be a string, not {json.dumps(wrong, default=repr)[:40]}")
        new = new.strip()
        if not old.strip():
            raise fault(entry, f"there is no old label for the new one {new!r}" if new else "both labels are empty")
        if new and (problem := text_fault(new, "new label")):
            raise fault(entry, f"{problem}: {new!r}")
        if found.get(old, new) != new:
            where = "" if lines[old] is None else f" (line {lines[old]})"
            raise fault(entry, f"{old!r} becomes both {_shown(found[old])}{where} and {_shown(new)}: keep one of them")
        if old == new:
            same.append(old)
        found[old], lines[old] = new, lines.get(old, entry.line)
    if not found:
        raise error(f"{name}: there are no labels in it")
    if same:
        themselves = "is mapped to itself" if len(same) == 1 else "are mapped to themselves"
        logger.info("%s: %s %s, which changes nothing", name, _listed(same), themselves)
    if chains := [old for old, new in found.items() if new != old and found.get(new, new) != new]:
        old = chains[0]
        logger.warning(
            "%s: rows of %r become %r, and not %s: each label is looked up once",
            name, old, found[old], _shown(found[found[old]]),
        )  # fmt: skip
    return found


def _label(value: Any) -> str | None:
    """Return a label as a string, empty if it is missing; None if it cannot be one."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, bool | int):
        return label_of(value)
    return None


def _shown(label: str) -> str:
    return repr(label) if label else "nothing"


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED:,} more" if len(labels) > _MOST_NAMED else ""
    shown = [repr(label) for label in labels[:_MOST_NAMED]]
    if more or len(shown) == 1:
        return ", ".join(shown) + more
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


@dataclass
class MappedLabels:
    """The labels of rows that are read, and what became of them.

    Attributes
    ----------
    of : LabelMap
    counts : Counter of str
        How many rows have each label in the file, before it is mapped.
    fits : bool
        Whether the column of a Parquet file can hold all new labels.
    separator : str
        What separates several labels of a row.
    """

    of: LabelMap
    counts: Counter[str] = field(default_factory=Counter)
    fits: bool = True
    separator: str = LABEL_SEPARATOR

    def row(self, row: Row, column: str | None) -> Row | None:
        """Return a row with its new label, in its columns, too; None if it is left out.

        Of several labels, each is mapped by itself; a row is left out if it loses all of them.
        """
        if row.labels is not None:
            return self._several(row, row.labels, column)
        self.counts[row.label] += 1
        new = self.of.get(row.label, row.label)
        if not row.label or new == row.label:
            return row
        if not new or column is None:
            return None
        try:
            return replace(relabelled(row, column, new), fault=row.fault)
        except ParquetError:
            self.fits = False
            return replace(row, record={**row.record, column: new}, label=new, source="")

    def _several(self, row: Row, labels: LabelSet, column: str | None) -> Row | None:
        self.counts.update(labels)
        kept = tuple(sorted({new for label in labels if (new := self.of.get(label, label))}))
        if kept == labels:
            return row
        if not kept:
            return None
        joined = self.separator.join(kept)
        if column is None:
            return replace(row, label=joined, labels=kept)
        self.fits &= not isinstance(row.source, Record)
        value = list(kept) if isinstance(row.record.get(column), list) else joined
        return replace(row, record={**row.record, column: value}, label=joined, labels=kept, source="")

    def plus(self, other: "MappedLabels | None") -> "MappedLabels":
        """Return the same with the rows of another file."""
        if other is None:
            return self
        return MappedLabels(self.of, self.counts + other.counts, self.fits and other.fits, self.separator)

    def summary(self) -> str:
        """Return in a line what was renamed, joined and left out; empty if nothing was."""
        parts = []
        n_after = self.after()
        sources: dict[str, list[str]] = {}
        for old, new in self.of.items():
            if new != old and self.counts[old]:
                sources.setdefault(new, []).append(old)
        left_out = sources.pop("", [])
        for new, labels in sources.items():
            n = sum(self.counts[label] for label in labels)
            if n < n_after[new]:
                parts.append(f"joined {_listed(labels)} with {new!r} ({n:,} of {n_after[new]:,} rows)")
            elif len(labels) > 1:
                parts.append(f"joined {_listed(labels)} into {new!r} ({n:,} rows)")
            else:
                parts.append(f"renamed {_listed(labels)} to {new!r} ({counted(n, 'row')})")
        parts = parts if len(parts) <= _MOST_NAMED else [*parts[:_MOST_NAMED], f"{len(parts) - _MOST_NAMED:,} more"]
        if left_out:
            n = sum(self.counts[label] for label in left_out)
            parts.append(f"left out {_listed(left_out)} ({counted(n, 'row')})")
        return f"{self.of.name}: {'; '.join(parts)}" if parts else ""

    def after(self) -> Counter[str]:
        """Return how many rows have each label afterwards."""
        after: Counter[str] = Counter()
        for label, n in self.counts.items():
            after[self.of.get(label, label)] += n
        del after[""]
        return after

    @property
    def n_left_out(self) -> int:
        """How many rows are left out."""
        return sum(n for label, n in self.counts.items() if label and self.of.get(label) == "")

    def unused(self) -> str:
        """Return which old labels no row has, and what they may be misspelt for; empty if each has some."""
        lacking = [old for old in self.of if not self.counts[old]] if self.of.name != RECORDED else []
        if not lacking:
            return ""
        known = {label.casefold(): label for label in self.counts if label}
        guessed = []
        for old in lacking[:_MOST_NAMED]:
            near = get_close_matches(old.casefold(), known, 1)
            guessed.append(repr(old) + (f" (did you mean {known[near[0]]!r}?)" if near else ""))
        more = f" and {len(lacking) - _MOST_NAMED:,} more" if len(lacking) > _MOST_NAMED else ""
        is_done = len(lacking) == len(self.of) and any(self.counts[new] for new in self.of.values() if new)
        already = "; the rows have its new labels already" if is_done else ""
        return f"{self.of.name}: no row has the label {', '.join(guessed)}{more}{already}"
