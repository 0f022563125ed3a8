"""The rows that a check found, as a file to be reviewed in a spreadsheet; see `embedclf.quality.corrections`."""

import os
from collections.abc import Iterable, Iterator

from embedclf.data.corpus import Corpus
from embedclf.data.dialect import DEFAULT_DIALECT, Dialect
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.quality.findings import DataCheck, Finding
from embedclf.quality.wording import ABOUT_LABELS

COLUMNS = {
    "kind": str,
    "line": int,
    "text": str,
    "label": str,
    "suggested_label": str,
    "score": float,
    "other_line": int,
    "other_label": str,
    "other_text": str,
    "detail": str,
    "action": str,
    "original_label": str,
}
"""The columns of the file and their types. `label` and `action` are there to be edited."""


def columns_for(corpus: Corpus) -> dict[str, type]:
    """Return the columns of the file, with the names of files if the corpus is several."""
    if not corpus.files:
        return COLUMNS
    columns: dict[str, type] = {}
    for name, kind in COLUMNS.items():
        if name in ("line", "other_line"):
            columns[name.replace("line", "file")] = str
        columns[name] = kind
    return columns


def open_suspects(
    path: str | os.PathLike[str], corpus: Corpus, against: Corpus | None = None, *, escape_formulas: bool = False
) -> CorpusWriter:
    """Open a file for the suspects of a corpus; the extension determines its format.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    # Spreadsheets recognize UTF-8 by its byte order mark; plain ASCII needs none.
    shown = [corpus.texts, corpus.labels] if against is None else [corpus.texts, corpus.labels, against.texts]
    needs_bom = not all(text.isascii() for texts in shown for text in texts)
    bom = corpus.has_bom or needs_bom
    # A spreadsheet that wrote semicolons expects them.
    dialect = Dialect(";") if corpus.dialect.delimiter == ";" else DEFAULT_DIALECT
    return CorpusWriter(path, [], columns_for(corpus), dialect=dialect, bom=bom, escape_formulas=escape_formulas)


def write_suspects(writer: CorpusWriter, result: DataCheck, corpus: Corpus, against: Corpus | None = None) -> int:
    """Write one line per finding, and return their number.

    A label that is spelled in a second way, and a word that may stand for a missing value, have one line per row, so
    that all of them can be corrected.

    Parameters
    ----------
    writer : CorpusWriter
        From `open_suspects`.
    result : DataCheck
    corpus : Corpus
        The rows that were checked.
    against : Corpus, optional
        The rows that they were compared with, to which `other_line` refers in the kinds ``leakage`` and
        ``near_leakage``.
    """
    n, columns, separator = 0, columns_for(corpus), result.label_separator
    for finding in result.findings:
        # Cells hold all labels of a text, also if it was found for one of them.
        of_one = finding.kind in ABOUT_LABELS and separator is not None
        detail = f"{finding.label}: {finding.detail}" if of_one else finding.detail
        for file, line, text, label, suggested in _rows(finding, corpus, separator):
            other = finding.others[0] if finding.others and finding.kind != "placeholders" else None
            of = against if other is not None and other.in_against and against is not None else corpus
            values: dict[str, str | float | None] = {
                "kind": finding.kind,
                "file": file,
                "line": line,
                "text": text,
                "label": label,
                "suggested_label": suggested,
                "score": finding.score,
                "other_file": None if other is None else of.file(other.row),
                "other_line": None if other is None else of.lines[other.row],
                "other_label": None if other is None else other.label,
                "other_text": None if other is None else other.text,
                "detail": detail,
                "action": None,
                "original_label": label,
            }
            writer.write(Row(line, {}, text, label, None), [values[name] for name in columns])
            n += 1
    return n


def _rows(finding: Finding, corpus: Corpus, separator: str | None) -> Iterator[tuple[str, int, str, str, str | None]]:
    """Yield the file, line, text, label and suggested label of each row that a finding is about."""
    if finding.row is None:
        yield finding.file or corpus.name, finding.line or 0, finding.text, finding.label, finding.suggested
        return
    sets = corpus.label_sets
    if finding.kind == "label_variants":
        of_label: Iterable[int] = (
            row
            for row, label in enumerate(corpus.labels)
            if (label == finding.label if sets is None else finding.label in sets[row])
        )
    else:
        of_label = [finding.row]
        if finding.kind == "placeholders":
            of_label = [finding.row, *(one.row for one in finding.others)]
    for row in of_label:
        suggested = finding.suggested
        if sets is not None and separator is not None and finding.kind == "label_variants" and suggested is not None:
            suggested = separator.join(sorted({*sets[row], suggested} - {finding.label}))
        yield corpus.file(row), corpus.lines[row], corpus.texts[row], corpus.labels[row], suggested
