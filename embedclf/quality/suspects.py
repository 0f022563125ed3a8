"""The rows that a check found, as a file to be reviewed in a spreadsheet; see `embedclf.quality.corrections`."""

import os
from collections.abc import Iterator

from embedclf.data.corpus import Corpus
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.quality.findings import DataCheck, Finding

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


def open_suspects(path: str | os.PathLike[str], corpus: Corpus, *, escape_formulas: bool = False) -> CorpusWriter:
    """Open a file for the suspects of a corpus; the extension determines its format.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    # Spreadsheets recognize UTF-8 by its byte order mark; plain ASCII needs none.
    needs_bom = not all(text.isascii() for texts in (corpus.texts, corpus.labels) for text in texts)
    return CorpusWriter(path, [], COLUMNS, bom=corpus.has_bom or needs_bom, escape_formulas=escape_formulas)


def write_suspects(writer: CorpusWriter, result: DataCheck, corpus: Corpus, against: Corpus | None = None) -> int:
    """Write one line per finding, and return their number.

    A label that is spelled in a second way has one line per row, so that all of them can be corrected.

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
    n = 0
    for finding in result.findings:
        for line, text in _rows(finding, corpus):
            other = finding.others[0] if finding.others else None
            of = against if other is not None and other.in_against and against is not None else corpus
            values: list[str | float | None] = [
                finding.kind,
                line,
                text,
                finding.label,
                finding.suggested,
                finding.score,
                None if other is None else of.lines[other.row],
                None if other is None else other.label,
                None if other is None else other.text,
                finding.detail,
                None,
                finding.label,
            ]
            writer.write(Row(line, {}, text, finding.label, None), values)
            n += 1
    return n


def _rows(finding: Finding, corpus: Corpus) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each row that a finding is about."""
    if finding.row is None:
        yield finding.line or 0, finding.text
    elif finding.kind == "label_variants":
        yield from ((row.line, row.text) for row in corpus.rows if row.label == finding.label)
    else:
        yield corpus.lines[finding.row], finding.text
