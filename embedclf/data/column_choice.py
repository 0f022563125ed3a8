"""Choosing the columns of a file: those that were asked for, those that a classifier remembers, or by their names."""

import shlex

from embedclf.data.columns import (
    DEFAULT,
    Kind,
    TextColumn,
    candidates,
    names_in,
    no_column_problem,
    several_columns_problem,
    shown_columns,
)
from embedclf.data.formats import FormatError
from embedclf.data.reading import Reading
from embedclf.data.source import Source

_REMEMBERED = " (as in training)"


class ColumnChoice:
    """The columns of a file that hold its texts and its labels, each of which it has exactly once.

    Parameters
    ----------
    source : Source
    reading : Reading

    Attributes
    ----------
    text : str or tuple of str
        Empty if labels are read alone.
    label : str or None
        None if labels are not read, or are in columns of their own.
    labels : tuple of str
        Those columns.
    notes : list of str
        What was found out and should be logged.

    Raises
    ------
    FormatError
        If a column is missing, appears several times, or is not certain.
    """

    def __init__(self, source: Source, reading: Reading) -> None:
        self._source, self._reading, self._header = source, reading, source.columns
        self._asked_text: TextColumn | None = source.found.text or reading.text_column
        self._asked_label = source.found.label or reading.label_column
        self.notes: list[str] = []
        self.text = self._chosen_text()
        self.labels = () if reading.labels == "none" else self._label_columns()
        self.label = None if reading.labels == "none" or self.labels else self._chosen_label()

    def _chosen_text(self) -> TextColumn:
        if not self._header:  # no record has a column; each is reported when it is read
            return self._asked_text or self._reading.usual.text
        text = self._asked_text or self._remembered()
        text = text or self._named("text", self._source.text_columns, self._asked_label)
        if not text:
            return text
        names = names_in(text)
        if not self._source.is_table and len(names) > 1:  # a record may lack some of several
            names = tuple(name for name in names if name in self._header) or names
        for name in names:
            self._checked("text", name)
        for name in names:
            if (kind := self._source.not_text(name)) is not None:
                raise FormatError(
                    f"the column {name!r} contains {kind}, not strings. Choose another with --text-column"
                )
        return text

    def _label_columns(self) -> tuple[str, ...]:
        """Return the columns of a label each; none if labels are in one column."""
        reading = self._reading
        if not reading.label_columns and reading.label_column is None:
            return tuple(name for name in reading.usual_label_columns if name in self._header)
        if not self._header:
            return reading.label_columns
        columns = tuple(self._but_for_spaces(name) for name in reading.label_columns)
        for name in columns:
            if name in names_in(self.text):
                raise FormatError(f"the column {name!r} holds the texts, not a label", self._source.header_line)
            if name not in self._header:
                problem = no_column_problem(name, "label", self._header, asked=True)
                raise self._missing(problem.replace("--label-column", "--label-columns"))
            self._checked("label", name)
        return columns

    def _but_for_spaces(self, name: str) -> str:
        """Return the name in the header that is the same but for white space around it, or else the name itself."""
        alike = [one for one in self._header if one.strip() == name.strip()]
        return alike[0] if name not in self._header and len(alike) == 1 else name

    def _chosen_label(self) -> str | None:
        asked = self._asked_label
        if not self._header:
            return asked or self._reading.usual.label
        if asked is None:
            label = self._named("label", self._header, self.text)
            return self._checked("label", label) if label else None
        is_optional = self._reading.labels == "optional" and asked == DEFAULT.label
        return None if is_optional and asked not in self._header else self._checked("label", asked)

    def _named(self, kind: Kind, possible: list[str], taken: TextColumn | None) -> str:
        """Find the column of the texts or labels; return an empty string if labels are optional and there are none."""
        usual: TextColumn = getattr(self._reading.usual, kind)
        default: str = getattr(DEFAULT, kind)
        found = candidates(possible, kind, usual, taken)
        if len(found) == 1:
            if found[0] != default:
                self._note(f"{kind}s in {found[0]!r}", is_remembered=found[0] == usual)
            return found[0]
        if kind == "label" and self._reading.labels == "optional":
            if found:
                names = " or ".join(map(repr, found))
                self._note(f"no labels read (choose {names} with --label-column)")
            return ""
        if found:
            raise self._missing(several_columns_problem(found, kind, self._header))
        if kind == "text" and self._reading.labels == "alone" and len(self._header) == 1:
            return ""
        name = usual if isinstance(usual, str) and usual in self._header else default
        if name in self._header:  # a Parquet column that holds no strings
            return name
        labelled = self._reading.labels in ("needed", "alone")
        raise self._missing(no_column_problem(name, kind, self._header, asked=False, taken=taken, labelled=labelled))

    def _remembered(self) -> TextColumn:
        """Return the columns of texts that a classifier remembers, if there were several and any of them is here."""
        usual = self._reading.usual.text
        if isinstance(usual, str) or set(usual).isdisjoint(self._header):
            return ""
        lacking = tuple(name for name in usual if name not in self._header)
        if lacking and self._source.is_table:
            there = " ".join(f"--text-column {shlex.quote(name)}" for name in usual if name in self._header)
            raise FormatError(
                f"no column {shown_columns(lacking)}, but the model was trained on {shown_columns(usual)}, "
                f"joined. To go without, use {there}",
                self._source.header_line,
            )
        self._note(f"texts in {shown_columns(usual)}", is_remembered=True)
        return usual

    def _note(self, note: str, *, is_remembered: bool = False) -> None:
        """Note what was found; of several columns in a row that are remembered, only the last says so."""
        if is_remembered:
            self.notes = [earlier.removesuffix(_REMEMBERED) for earlier in self.notes]
            note += _REMEMBERED
        self.notes.append(note)

    def _checked(self, kind: Kind, column: str) -> str:
        """Check that a column exists exactly once, and return its name."""
        times = self._header.count(column)
        if times == 0:
            raise self._missing(no_column_problem(column, kind, self._header, asked=True))
        if times > 1:
            problem = f"the column {column!r} appears {times} times in the header: rename all but one"
            raise FormatError(problem, self._source.header_line)
        return column

    def _missing(self, problem: str) -> FormatError:
        """Return the error that no column is certain, or why: the first line is no header at all."""
        return FormatError(self._source.header_problem() or problem, self._source.header_line)
