"""Prediction over files of any size, in flat memory; an interrupted run can be resumed."""

import logging
import os
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.atomic_file import check_places
from embedclf.data.part_file import PartFile
from embedclf.data.writer import CorpusWriter, check_output
from embedclf.embedding.usage import Usage
from embedclf.errors import RowFault
from embedclf.formatting import counted
from embedclf.prediction.resumable_run import JOURNAL_FIELDS, OnChunk, ResumableRun
from embedclf.prediction.row_sources import FileRows, RowSource
from embedclf.validation import check_whole

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FilePrediction:
    """The result of labelling a file.

    Attributes
    ----------
    rows : int
        How many were written in all.
    rows_before : int
        How many of them an earlier run had written.
    n_faults : int
        Rows that could not be labelled; the column ``error`` says why.
    faults : tuple of RowFault
        The first 20 of them.
    seconds : float
        How long this run took.
    usage : Usage
        What embedding used, in this run or, in one process, since the embedder was opened; zeros where that is not
        counted.
    """

    rows: int
    rows_before: int
    n_faults: int
    faults: tuple[RowFault, ...]
    seconds: float
    usage: Usage = field(default_factory=Usage)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain types, for JSON."""
        return {**asdict(self), "faults": [fault._asdict() for fault in self.faults]}


def predict_file(
    classifier: TextClassifier,
    input: str | os.PathLike[str],  # noqa: A002 - what it is called everywhere
    output: str | os.PathLike[str],
    *,
    text_column: str = "text",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    top_k: int | None = None,
    resume: bool = False,
    on_chunk: OnChunk | None = None,
) -> FilePrediction:
    """Label the rows of a file of any size; memory does not grow with it.

    The output has the rows in their order, with the columns ``predicted_label``, ``confidence``, the further likeliest
    labels if they are asked for, and ``error``. It grows as ``<output>.part``, and is moved into place when it is
    whole.

    Within ``joblib.parallel_config``, the chunks are scored on the engine that it names, with as many jobs: ``"loky"``
    is other cores, ``"dask"`` a cluster. Rows stay in their order; what is lost with a worker of Dask's is done again.
    All workers together keep to the embedder's limit of concurrent requests.

    Parameters
    ----------
    classifier : TextClassifier
    input, output : str or Path
        CSV, TSV, JSONL or Parquet, by their extensions; ``-`` is the standard input.
    text_column : str
    delimiter : str, optional
        Between the columns of both.
    encoding : str
        Of the input.
    top_k : int, optional
        How many of the likeliest labels to write for each row; None writes one.
    resume : bool
        Whether to continue an interrupted run, if there is one. The rows that are done are read again, to check that
        they are the same, and not labelled again.
    on_chunk : callable, optional
        Called before each chunk with the number of rows done, the number of them that an earlier run had done, and the
        share of the input that this is, from 0 to 1 (in one process including the chunk; None if it is not known).

    Raises
    ------
    ArgumentError
        If `top_k` is below 1.
    DataError
        If the input cannot be read.
    OutputError
        If the output cannot be written, or resumed, or is the input; or if files that are not its own stand where it
        would grow.
    EmbedderError
        If the embedder fails; what was done is kept for `resume`.
    """
    check_output(output)
    with FileRows(input, text_column=text_column, delimiter=delimiter, encoding=encoding) as source:
        return predict_rows(
            classifier, source, output, top_k=top_k, delimiter=delimiter, resume=resume, on_chunk=on_chunk
        )


def predict_rows(
    classifier: TextClassifier,
    source: RowSource,
    output: str | os.PathLike[str],
    *,
    top_k: int | None = None,
    delimiter: str | None = None,
    resume: bool = False,
    on_chunk: OnChunk | None = None,
) -> FilePrediction:
    """Label the rows of any source; see `predict_file`."""
    started = time.perf_counter()
    if top_k is not None:
        check_whole(top_k, "top_k", least=1)
    check_output(output)
    check_places({"the input": source.place}, {"the output": output}, in_parts=True)
    part = PartFile(output, JOURNAL_FIELDS)
    try:
        run = ResumableRun(classifier, source, part, top_k, delimiter)
        run.begin(resume=resume)
        for_rest = ["label", "confidence"]
        others = {f"top_{place}_{what}": kind for place in range(2, run.top_k + 1)
                  for what, kind in zip(for_rest, (str, float), strict=True)}  # fmt: skip
        added = {"predicted_label": str, "confidence": float, **others, "error": str}
        writer = CorpusWriter(
            output, source.columns, added, delimiter=delimiter, bom=source.has_bom, schema=source.schema, file=part
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
                "%s of %s %s done, in %s: --resume (resume=True) goes on from there",
                counted(part.state["rows"], "row"),
                source.name,
                "is" if part.state["rows"] == 1 else "are",
                part.part,
            )
        raise
    seconds = time.perf_counter() - started
    return FilePrediction(run.rows, run.rows_before, run.n_faults, tuple(run.faults), seconds, run.usage)
