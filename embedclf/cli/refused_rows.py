"""Rows of a file that an embedder rejects."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from embedclf.cli.notices import show_left_out
from embedclf.data.corpus import faults_by_file
from embedclf.errors import BadRowsError, DataError, RowFault, bad_rows_error
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.rows import Row


def without_refused(corpus: "Corpus", reasons: Mapping[int, str], *, skip_bad_rows: bool) -> tuple["Corpus", list[int]]:
    """Drop the rows that an embedder rejected.

    Parameters
    ----------
    corpus : Corpus
    reasons : mapping of int to str
        The reason for each rejected row, by row number.
    skip_bad_rows : bool
        Whether to drop them rather than raise.

    Returns
    -------
    corpus : Corpus
        The file without them.
    kept : list of int
        The row numbers that are left.

    Raises
    ------
    BadRowsError
        If `skip_bad_rows` is false; the other rows are embedded and cached by then.
    DataError
        If no row is left.
    """
    return without_faulty(corpus, reasons, "cannot be embedded", skip_bad_rows=skip_bad_rows)


def without_faulty(
    corpus: "Corpus", reasons: Mapping[int, str], problem: str, *, skip_bad_rows: bool
) -> tuple["Corpus", list[int]]:
    """Drop the rows with a problem, such as "cannot be used"; see `without_refused`."""
    refused = _refused(corpus, reasons)
    if not skip_bad_rows:
        raise refused_error(corpus, reasons, problem)
    show_left_out(faults_by_file(corpus.name, refused))
    kept = [index for index in range(len(corpus.texts)) if index not in reasons]
    if not kept:
        raise DataError(f"{corpus.name}: all of its rows {problem}", source=corpus.name)
    skipped = [*corpus.skipped, *(RowFault(row.line, str(row.fault)) for row in refused)]
    return replace(corpus, rows=[corpus.rows[index] for index in kept], skipped=skipped), kept


def refused_error(corpus: "Corpus", reasons: Mapping[int, str], problem: str = "cannot be embedded") -> BadRowsError:
    """Return the error that lists the rows with a problem; see `without_refused`."""
    what = f"{counted(len(reasons), 'row')} of {corpus.name} {problem}"
    return bad_rows_error(what, faults_by_file(corpus.name, _refused(corpus, reasons)))


def _refused(corpus: "Corpus", reasons: Mapping[int, str]) -> "list[Row]":
    return [replace(corpus.rows[index], fault=reason) for index, reason in reasons.items()]
