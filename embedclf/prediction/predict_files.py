"""Prediction over files of any size in constant memory; an interrupted run can be resumed."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from embedclf.classifier.reference_shift import ReferenceShift
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.atomic_file import check_places
from embedclf.data.columns import as_text_column
from embedclf.data.dialect import Quoting
from embedclf.data.part_file import PartFile
from embedclf.data.reading import Reading
from embedclf.data.writer import CorpusWriter, check_output
from embedclf.embedding.usage import Usage
from embedclf.errors import RowFault
from embedclf.formatting import counted
from embedclf.prediction.resumable_run import JOURNAL_FIELDS, OnChunk, ResumableRun
from embedclf.prediction.row_sources import FileRows, RowSource
from embedclf.records import Printable
from embedclf.validation import check_whole

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FilePrediction(Printable):
    """The result of classifying a file.

    Attributes
    ----------
    rows : int
        Number of rows in the output.
    rows_before : int
        Number of these rows that an earlier run had written.
    n_faults : int
        Number of rows that could not be classified; the column ``error`` says why.
    faults : tuple of RowFault
        The first 20 of them.
    seconds : float
        Duration of this run.
    usage : Usage
        Embedding usage of this run; if it ran in one process, usage since the embedder was opened. Zeros if the
        embedder does not count.
    shift : ReferenceShift or None
        How far the answers are from those to the texts held out in training; its `remark` is a warning if the
        classifier is clearly less confident. None if no text was classified, or the classifier has no reference.
    """

    rows: int
    rows_before: int
    n_faults: int
    faults: tuple[RowFault, ...]
    seconds: float
    usage: Usage = field(default_factory=Usage)
    shift: ReferenceShift | None = None

    def __repr__(self) -> str:
        return f"<FilePrediction: {counted(self.rows, 'row')}, {self.n_faults:,} not classified>"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types, for JSON."""
        return {**asdict(self), "faults": [fault._asdict() for fault in self.faults]}


def predict_file(
    classifier: TextClassifier,
    input: str | os.PathLike[str],  # noqa: A002 - matches the command's --input
    output: str | os.PathLike[str],
    *,
    text_column: str | Sequence[str] | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    quoting: Quoting = "auto",
    escape_char: str | None = None,
    escape_formulas: bool = False,
    top_k: int | None = None,
    coverage: float | None = None,
    resume: bool = False,
    on_chunk: OnChunk | None = None,
) -> FilePrediction:
    """Classify the rows of a file of any size in constant memory.

    The output has the input's rows in order, with the additional columns ``predicted_label``, ``confidence``, further
    labels if `top_k` asks for them, ``label_set`` if `coverage` does, and ``error``. It is written to
    ``<output>.part`` and moved into place when it is complete.

    Inside ``joblib.parallel_config``, chunks are scored on its backend with its number of jobs: ``"loky"`` uses other
    cores, ``"dask"`` a cluster. The order of the rows stays the same. If a Dask worker is lost, its chunks are
    processed again. All workers together respect the embedder's limit on concurrent requests.

    Parameters
    ----------
    classifier : TextClassifier
    input, output : str or Path
        CSV, TSV, JSONL, Parquet or Excel, by extension; the input ``-`` is standard input.
    text_column : str or sequence of str, optional
        Several columns are joined by line breaks. None finds the column, or several: those of training, or it is called
        ``text``, or is the only one with another usual name, such as ``Message``.
    delimiter : str, optional
        Column delimiter of both files; None finds it in the header of the input.
    encoding : str
        Encoding of the input.
    header : bool
        Whether the first line of a CSV file has the names of the columns. If not, they are ``1``, ``2``, …, and the
        output has no header either.
    quoting : {"auto", "csv", "none"}
        Whether fields of a CSV or TSV file may be quoted. ``"auto"`` finds out whether one with tabs has no quoting,
        and finds fault with a row that takes in lines which look like rows.
    escape_char : str, optional
        The character before a quote inside a quoted field, such as a backslash, where such quotes are not doubled.
    escape_formulas : bool
        Whether to put an apostrophe in front of cells of a CSV or TSV output that a spreadsheet may take for formulas.
    top_k : int, optional
        Number of labels to write per row, most likely first; None writes one.
    coverage : float, optional
        The share of label sets that should hold the true label; see `TextClassifier.predict_sets`. None writes no sets.
        JSONL and Parquet have lists; in CSV, labels are joined by ``|``, with a backslash before a ``|`` or a backslash
        in a label.
    resume : bool
        Whether to continue an interrupted run, if there is one. Finished rows are read again to check that they have
        not changed, but are not classified again.
    on_chunk : callable, optional
        Called before each chunk with the number of rows done, the number of these that an earlier run had done, and
        the share of the input done, from 0 to 1 (in one process, this includes the chunk; None if unknown).

    Raises
    ------
    ArgumentError
        If `top_k` is below 1, or as for `TextClassifier.predict_sets`.
    DataError
        If the input cannot be read.
    OutputError
        If the output cannot be written or resumed, is the input, or needs temporary files whose names are taken by
        other files.
    EmbedderError
        If the embedder fails; finished rows are kept for `resume`.
    """
    check_output(output)
    reading = Reading(
        text_column=as_text_column(text_column),
        labels="none",
        usual=classifier.card.columns,
        delimiter=delimiter,
        encoding=encoding,
        header=header,
        quoting=quoting,
        escape_char=escape_char,
    )
    with FileRows(input, reading) as source:
        return predict_rows(
            classifier,
            source,
            output,
            escape_formulas=escape_formulas,
            top_k=top_k,
            coverage=coverage,
            resume=resume,
            on_chunk=on_chunk,
        )


def predict_rows(
    classifier: TextClassifier,
    source: RowSource,
    output: str | os.PathLike[str],
    *,
    top_k: int | None = None,
    coverage: float | None = None,
    delimiter: str | None = None,
    escape_formulas: bool = False,
    resume: bool = False,
    on_chunk: OnChunk | None = None,
) -> FilePrediction:
    """Classify the rows of any source; see `predict_file`."""
    started = time.perf_counter()
    if top_k is not None:
        check_whole(top_k, "top_k", least=1)
    if coverage is not None:
        classifier.card.set_threshold(coverage)
    check_output(output)
    dialect = source.dialect if delimiter is None else replace(source.dialect, delimiter=delimiter)
    check_places({"the input": source.place}, {"the output": output}, in_parts=True)
    part = PartFile(output, JOURNAL_FIELDS)
    try:
        run = ResumableRun(classifier, source, part, top_k, dialect, coverage=coverage, escape_formulas=escape_formulas)
        run.begin(resume=resume)
        writer = CorpusWriter(
            output,
            source.columns,
            run.columns.types,
            dialect=dialect,
            bom=source.has_bom,
            schema=source.schema,
            header=source.has_header,
            escape_formulas=escape_formulas,
            file=part,
        )
    except BaseException:
        part.discard()
        raise
    try:
        with writer:
            run.work(writer, on_chunk)
    except BaseException:
        if part.state is not None:
            logger.warning(
                "Stopped after %s of %s (saved in %s). Continue with --resume (resume=True).",
                counted(part.state["rows"], "row"),
                source.name,
                part.part,
            )
        raise
    seconds = time.perf_counter() - started
    return FilePrediction(run.rows, run.rows_before, run.n_faults, tuple(run.faults), seconds, run.usage, run.shift)
