"""A prediction run over rows that can be interrupted and resumed."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np

from embedclf.classifier.decisions import NOTHING
from embedclf.classifier.reference_shift import AnswerTally, ReferenceShift
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.dialect import Dialect
from embedclf.data.formats import file_format
from embedclf.data.part_file import PartFile, noted_beside
from embedclf.data.rows import Row
from embedclf.data.writer import CorpusWriter
from embedclf.embedding.usage import Usage
from embedclf.errors import OutputError, RowFault
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.prediction.answer_columns import AnswerColumns
from embedclf.prediction.remote import engine_of
from embedclf.prediction.row_sources import RowSource
from embedclf.prediction.scores import CHUNK_ROWS, Scores, answer_rows, chunks_of, score_texts, usable_texts

logger = logging.getLogger(__name__)
_MAX_FAULTS = 20

# What must not change between the runs, and how a message names the change.
_SETTINGS = {
    "format": "by a different version of embedclf",
    "classifier": "with a different classifier",
    "min_confidence": "with a different --min-confidence (min_confidence)",
    "top_k": "with a different --top-k (top_k)",
    "coverage": "with a different --coverage (coverage)",
    "delimiter": "with a different --delimiter (delimiter)",
    "unquoted": "with a different --quoting (quoting)",
    "escape_char": "with a different --escape-char (escape_char)",
    "escape_formulas": "with a different --escape-formulas (escape_formulas)",
    "columns": "from a file with different columns",
    "types": "from a file whose columns have different types",
}
_FORMAT = 1
# Fields of the journal of a part file.
JOURNAL_FIELDS = {"rows": int, "texts": str, "n_faults": int, "faults": list, "settings": dict}

OnChunk = Callable[[int, int, float | None], None]


def rows_done(output: str | os.PathLike[str]) -> int:
    """Return how many rows an interrupted run of this output has finished; 0 if there is nothing to resume."""
    state = noted_beside(output, JOURNAL_FIELDS)
    return 0 if state is None else int(state["rows"])


class ResumableRun:
    """A prediction run over some rows, with its settings and its progress.

    Attributes
    ----------
    top_k : int
        Number of labels written per row.
    coverage : float or None
        The share of label sets that should hold the true label; None writes no sets.
    columns : AnswerColumns
    rows, rows_before : int
        Number of finished rows, and how many of these an earlier run had finished.
    n_faults : int
        Number of rows that could not be classified.
    faults : list of RowFault
        The first 20 of them.
    """

    def __init__(
        self,
        classifier: TextClassifier,
        source: RowSource,
        part: PartFile,
        top_k: int | None,
        dialect: Dialect,
        *,
        coverage: float | None = None,
        escape_formulas: bool = False,
    ) -> None:
        self.top_k = min(top_k or 1, len(classifier.classes))
        self.coverage = coverage
        as_lists = file_format(part.path) in ("jsonl", "parquet")
        self.columns = AnswerColumns(classifier, self.top_k, with_sets=coverage is not None, as_lists=as_lists)
        self.rows = self.rows_before = self.n_faults = 0
        self.faults: list[RowFault] = []
        reference = classifier.card.reference
        self._tally = None if reference is None else AnswerTally(reference)
        self._usages: dict[str, Usage] = {}
        self._classifier, self._source, self._part = classifier, source, part
        self._rows = iter(source)
        self._digest = blake2b(digest_size=16)
        self._settings = {
            "format": _FORMAT,
            "classifier": _fingerprint(classifier),
            "min_confidence": classifier.card.threshold,
            "top_k": self.top_k,
            "coverage": coverage,  # earlier versions did not know it
            **asdict(dialect),
            "escape_formulas": escape_formulas or None,  # earlier versions did not know it
            "columns": source.columns,
            "types": None if source.schema is None else [str(field.type) for field in source.schema],
        }

    def begin(self, *, resume: bool) -> None:
        """Continue an interrupted run, or start from the first row.

        Raises
        ------
        OutputError
            If the interrupted run had other settings or other rows.
        """
        state = self._part.state
        if resume and self._part.is_direct:
            raise self._resume_error("it is not a regular file")
        if not resume or state is None:
            if state is not None:
                logger.warning(
                    "Overwriting %s from an interrupted run in %s; use --resume (resume=True) to continue such a run",
                    counted(state["rows"], "row"),
                    self._part.part,
                )
            elif resume:
                logger.info("No interrupted run of %s found; starting from row 1", self._part.path)
            self._part.start(**self._journal_entry())
            return
        for name, difference in _SETTINGS.items():
            if state["settings"].get(name) != self._settings[name]:
                raise self._resume_error(f"it was started {difference}")
        with phase("Checking rows", state["rows"], "row") as checking:
            while self.rows < state["rows"] and (
                passed := list(islice(self._rows, min(CHUNK_ROWS, state["rows"] - self.rows)))
            ):
                self._count(passed)
                checking.reach(self.rows)
        if self._digest.hexdigest() != state["texts"]:
            first = "first row" if state["rows"] == 1 else f"first {state['rows']:,} rows"
            verb = "has" if state["rows"] == 1 else "have"
            raise self._resume_error(f"the {first} of {self._source.name} {verb} changed since it was started")
        self.rows_before = self.rows
        self.n_faults = state["n_faults"]
        try:
            self.faults = [RowFault(*fault) for fault in state["faults"]]
            if self._tally is not None and "answers" in state:  # earlier versions did not write it
                self._tally.restore(state["answers"])
        except (KeyError, TypeError, ValueError):
            raise self._resume_error("its journal is damaged") from None
        self._part.go_on()

    def _resume_error(self, reason: str) -> OutputError:
        path = str(self._part.path)
        return OutputError(f"cannot resume {path}: {reason}. Run without --resume to start over", path=path)

    def _count(self, rows: Sequence[Row]) -> None:
        self.rows += len(rows)
        for row in rows:
            whole = row.source if isinstance(row.source, str) and row.source else json.dumps([*row.record.values()])
            self._digest.update(f"{len(row.text)} {row.text}{whole}\n".encode("utf-8", "backslashreplace"))

    def work(self, writer: CorpusWriter, on_chunk: OnChunk | None) -> None:
        """Classify the remaining rows, and record each chunk in the journal once it is written."""

        def chunks() -> Iterator[list[Row]]:
            read = self.rows
            for chunk in chunks_of(self._rows, self._classifier.embedder):
                read += len(chunk)
                share = self._source.share_read
                predicting.estimate_total(read, share)
                if on_chunk is not None:
                    if share is not None and engine is not None:  # the engine reads ahead
                        share *= self.rows / read
                    on_chunk(self.rows, self.rows_before, share)
                yield chunk
                predicting.reach(self.rows)

        with (
            engine_of(self._classifier) as engine,
            phase("Predicting", unit="text", done=self.rows) as predicting,
        ):
            if engine is None:
                for chunk in chunks():
                    scores = score_texts(self._classifier, usable_texts(chunk), self.top_k, self.coverage)
                    self._write(writer, chunk, scores)
                return
            # Closed at once if an error ends the loop, so that workers start no further chunks.
            with closing(engine.score(chunks(), self.top_k, self.coverage)) as each:
                for chunk, scored in each:
                    # Chunks may finish out of order. Usage only grows within a process, so the largest is the latest.
                    known = self._usages.get(scored.worker, scored.usage)
                    newest = max(known, scored.usage, key=attrgetter("texts", "requests", "tokens"))
                    self._usages[scored.worker] = newest
                    self._write(writer, chunk, scored.scores)

    @property
    def usage(self) -> Usage:
        """Embedding usage of all processes together."""
        if not self._usages:
            return self._classifier.embedder.usage
        total = Usage()
        for one in self._usages.values():
            total = total.plus(one)
        return total

    @property
    def shift(self) -> ReferenceShift | None:
        """How far the answers are from those of training; None without a reference or texts."""
        return None if self._tally is None else self._tally.shift()

    def _write(self, writer: CorpusWriter, chunk: Sequence[Row], scores: Scores) -> None:
        for row, answer in answer_rows(self._classifier, chunk, scores):
            if row.fault is not None:
                self.n_faults += 1
                if len(self.faults) < _MAX_FAULTS:
                    self.faults.append(RowFault(row.line, row.fault))
            writer.write(row, self.columns.cells(answer, row.fault))
        if self._tally is not None and scores.measures is not None:
            self._tally.add(scores.measures, int((scores.decided.chosen != NOTHING).sum()))
        writer.flush()
        self._count(chunk)
        self._part.note(**self._journal_entry())

    def _journal_entry(self) -> dict[str, Any]:
        """Return the journal entry for the finished rows, with the fields of `JOURNAL_FIELDS`."""
        return {
            "rows": self.rows,
            "texts": self._digest.hexdigest(),
            "n_faults": self.n_faults,
            "faults": self.faults,
            "settings": self._settings,
            **({} if self._tally is None else {"answers": self._tally.to_dict()}),
        }


def _fingerprint(classifier: TextClassifier) -> str:
    digest = blake2b(digest_size=16)
    model, made_with = classifier.model, classifier.card.embedder
    told = [[made_with.task, made_with.prompt]] if made_with.told else []
    about: list[Any] = [
        model.classes,
        str(made_with),
        made_with.dimensions,
        made_with.endpoint,
        model.weights.shape,
        *told,
    ]
    about += [rules] if (rules := classifier.card.rules) else []
    digest.update(json.dumps(about).encode())
    words = (
        [] if model.words is None else [model.words.vocabulary.hashes, model.words.vocabulary.idf, model.words.weights]
    )
    for part in (model.weights, model.bias, *words):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
