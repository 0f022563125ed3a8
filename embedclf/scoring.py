"""Prediction over rows in chunks, and over files of any size, in flat memory; a broken run can be gone on with."""

import json
import logging
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from embedclf import engines
from embedclf.atomic_file import PartFile, Place, check_places, noted_beside
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.corpus import CorpusReader, CorpusWriter, Row, check_output
from embedclf.embedding import Embedder, Vectors, is_local
from embedclf.embedding.usage import Usage
from embedclf.errors import EmbedclfError, OutputError, RowFault, counted
from embedclf.metrics import rounded_down

logger = logging.getLogger(__name__)

_CHUNK = 4_096
# What is sent somewhere is sent many requests at once, and at the end of a chunk these are waited for.
_CHUNK_SENT = 16_384
_MOST_FAULTS = 20

# What a part is made with, and how a message says that it is not the same.
_SETTINGS = {
    "format": "by another version of embedclf",
    "classifier": "with another classifier",
    "min_confidence": "with another --min-confidence (min_confidence)",
    "top_k": "with another --top-k (top_k)",
    "delimiter": "with another --delimiter (delimiter)",
    "columns": "from a file with other columns",
    "types": "from a file whose columns have other types",
}
_FORMAT = 1
# What is noted of a part.
_NOTED = {"rows": int, "texts": str, "n_faults": int, "faults": list, "settings": dict}

OnChunk = Callable[[int, int, float | None], None]


class RowSource(Protocol):
    """What rows come from, once and in order; a `CorpusReader` is one."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def place(self) -> Place | None:
        """The file that they are read from, ``-`` for the standard input; None if they come from no file."""
        ...

    @property
    def columns(self) -> list[str]:
        """The rows' own columns."""
        ...

    @property
    def has_bom(self) -> bool:
        """Whether it starts with a byte order mark."""
        ...

    @property
    def schema(self) -> Any:
        """Of a Parquet file, a ``pyarrow.Schema``; None for others."""
        ...

    @property
    def share_read(self) -> float | None:
        """How much of the whole has been read; None if that is not known."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Give the rows."""
        ...


class Scores(NamedTuple):
    """What is said about some texts.

    Attributes
    ----------
    labels : list of str or None, of length n
        None where the classifier abstains, or the text cannot be labelled.
    best : ndarray of shape (n, k), int
        The likeliest classes, as indices, from the likeliest down.
    confidences : ndarray of shape (n, k), float32
        Theirs; NaN for a text that cannot be labelled.
    reasons : dict of int to str
        Why some cannot be labelled, by their index.
    """

    labels: list[str | None]
    best: npt.NDArray[np.intp]
    confidences: Vectors
    reasons: Mapping[int, str]


class Answer(NamedTuple):
    """What is said about one row.

    Attributes
    ----------
    row : Row
        With its fault, if it could not be labelled.
    label : str or None
    top : list of (str, float)
        The likeliest labels and their confidences; empty if it could not be labelled.
    """

    row: Row
    label: str | None
    top: list[tuple[str, float]]


def chunks_of(rows: Iterable[Row], embedder: Embedder) -> Iterator[list[Row]]:
    """Divide rows into as many as are embedded together."""
    rows = iter(rows)
    size = _CHUNK if is_local(embedder.spec) else _CHUNK_SENT
    while chunk := list(islice(rows, size)):
        yield chunk


def usable_texts(rows: Iterable[Row]) -> list[str]:
    """Give the texts of those rows that are not at fault."""
    return [row.text for row in rows if row.fault is None]


def score_texts(classifier: TextClassifier, texts: Sequence[str], top_k: int = 1) -> Scores:
    """Embed texts and score them.

    Raises
    ------
    EmbedderError
        If the embedder fails.
    """
    return score_vectors(classifier, texts, *classifier.embed_usable(texts), top_k)


def score_vectors(
    classifier: TextClassifier, texts: Sequence[str], vectors: Vectors, reasons: Mapping[int, str], top_k: int = 1
) -> Scores:
    """Score texts whose vectors are known, as `TextClassifier.embed_usable` gives them."""
    n, top_k = len(vectors), min(top_k, len(classifier.classes))
    if len(reasons) == n:
        return Scores([None] * n, np.zeros((n, top_k), dtype=np.intp), np.full((n, top_k), np.nan, np.float32), reasons)
    probabilities = classifier.probabilities(vectors, texts)
    probabilities[list(reasons)] = np.nan
    labels = classifier.decide(probabilities)
    for place in reasons:
        labels[place] = None
    if top_k == 1:
        best = probabilities.argmax(axis=1)[:, None]
    else:
        # A stable sort: of equals, the first in `classes` leads, as it does in the label.
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return Scores(labels, best, np.take_along_axis(probabilities, best, axis=1), reasons)


def answers_of(classifier: TextClassifier, rows: Sequence[Row], scores: Scores) -> Iterator[Answer]:
    """Put the scores of a chunk's `usable_texts` to its rows."""
    classes = classifier.classes
    each = enumerate(zip(scores.labels, scores.best.tolist(), scores.confidences.tolist(), strict=True))
    for row in rows:
        if row.fault is not None:
            yield Answer(row, None, [])
            continue
        place, (label, best, confidences) = next(each)
        if place in scores.reasons:
            yield Answer(replace(row, fault=scores.reasons[place]), None, [])
        else:
            yield Answer(row, label, [(classes[number], sure) for number, sure in zip(best, confidences, strict=True)])


@dataclass(frozen=True, slots=True)
class FilePrediction:
    """What became of a file.

    Attributes
    ----------
    rows : int
        Written, all in all.
    rows_before : int
        Those of them that an earlier run had written.
    n_faults : int
        Rows that could not be labelled; the column ``error`` says why.
    faults : tuple of RowFault
        The first 20 of them.
    seconds : float
        That this run took.
    usage : Usage
        What embedding took, of this run or, in one process, since the embedder was opened; zeros where that is not
        counted.
    """

    rows: int
    rows_before: int
    n_faults: int
    faults: tuple[RowFault, ...]
    seconds: float
    usage: Usage = field(default_factory=Usage)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain types, for JSON."""
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
    labels if they are asked for, and ``error``. It grows beside its place, as ``<output>.part``, and is moved there
    when it is whole.

    Within ``joblib.parallel_config``, the chunks are scored on the engine that it names, with as many jobs: ``"loky"``
    is other cores, ``"dask"`` a cluster. Rows stay in their order; what was lost with a worker of Dask's is done again.
    All of them together keep to the embedder's limit of requests under way.

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
        Give the so many likeliest labels.
    resume : bool
        Whether to go on with what a run that was broken off has left, if it left anything. The rows that are done are
        read again, to see that they are the same, and not labelled again.
    on_chunk : callable, optional
        Is given, before each chunk, how many rows are done, how many of them an earlier run had done, and how much of
        the input that is, from 0 to 1 (in one process with the chunk; None if it is not known).

    Raises
    ------
    DataError
        If the input cannot be read.
    OutputError
        If the output cannot be written, or gone on with, or is the input; or if files that are not its own stand where
        it would grow.
    EmbedderError
        If the embedder fails; what was done is kept for `resume`.
    """
    check_output(output)
    with CorpusReader(
        input, text_column=text_column, label_column=None, delimiter=delimiter, encoding=encoding
    ) as source:
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
    """Label rows from wherever they come; see `predict_file`."""
    started = time.perf_counter()
    check_output(output)
    check_places({"the input": source.place}, {"the output": output}, in_parts=True)
    part = PartFile(output, _NOTED)
    try:
        run = _Run(classifier, source, part, top_k, delimiter)
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


def rows_done(output: str | os.PathLike[str]) -> int:
    """Give how many rows of an output are done, of a run that was broken off and can be gone on with."""
    state = noted_beside(output, _NOTED)
    return 0 if state is None else int(state["rows"])


class _Run:
    """A run over some rows: what is done of it, and what it is made with."""

    def __init__(
        self,
        classifier: TextClassifier,
        source: RowSource,
        part: PartFile,
        top_k: int | None,
        delimiter: str | None,
    ) -> None:
        self.top_k = min(top_k or 1, len(classifier.classes))
        self.rows = self.rows_before = self.n_faults = 0
        self.faults: list[RowFault] = []
        self._usages: dict[str, Usage] = {}
        self._classifier, self._source, self._part = classifier, source, part
        self._rows = iter(source)
        self._digest = blake2b(digest_size=16)
        self._settings = {
            "format": _FORMAT,
            "classifier": _fingerprint(classifier),
            "min_confidence": classifier.card.threshold,
            "top_k": self.top_k,
            "delimiter": delimiter,
            "columns": source.columns,
            "types": None if source.schema is None else [str(field.type) for field in source.schema],
        }

    def begin(self, *, resume: bool) -> None:
        """Go on from where an earlier run was broken off, or start.

        Raises
        ------
        OutputError
            If what there is was made with something else, or from other rows.
        """
        state = self._part.state
        if resume and self._part.is_direct:
            raise self._cannot("it is no regular file")
        if not resume or state is None:
            if state is not None:
                remark = "%s holds %s of a run that was broken off, which %s written over: --resume would go on"
                n = state["rows"]
                logger.warning(remark, self._part.part, counted(n, "row"), "is" if n == 1 else "are")
            elif resume:
                logger.info("There is nothing to go on with beside %s: starting with the first row", self._part.path)
            self._part.start(**self._noted())
            return
        for name, of_then in _SETTINGS.items():
            if state["settings"].get(name) != self._settings[name]:
                raise self._cannot(f"it was begun {of_then}")
        while self.rows < state["rows"] and (
            passed := list(islice(self._rows, min(_CHUNK, state["rows"] - self.rows)))
        ):
            self._read(passed)
        if self._digest.hexdigest() != state["texts"]:
            first = "first row" if state["rows"] == 1 else f"first {state['rows']:,} rows"
            raise self._cannot(f"the {first} of {self._source.name} are not what it was begun with")
        self.rows_before = self.rows
        self.n_faults = state["n_faults"]
        try:
            self.faults = [RowFault(*fault) for fault in state["faults"]]
        except TypeError:
            raise self._cannot("what is noted beside it is damaged") from None
        self._part.go_on()

    def _cannot(self, reason: str) -> OutputError:
        path = str(self._part.path)
        return OutputError(f"cannot go on with {path}: {reason}. Without --resume it starts anew", path=path)

    def _read(self, rows: Sequence[Row]) -> None:
        self.rows += len(rows)
        for row in rows:
            whole = row.source if isinstance(row.source, str) and row.source else json.dumps([*row.record.values()])
            self._digest.update(f"{len(row.text)} {row.text}{whole}\n".encode("utf-8", "backslashreplace"))

    def work(self, writer: CorpusWriter, on_chunk: OnChunk | None) -> None:
        """Label the rows that are left, and note each chunk when it is written."""

        def chunks() -> Iterator[list[Row]]:
            read = self.rows
            for chunk in chunks_of(self._rows, self._classifier.embedder):
                read += len(chunk)
                if on_chunk is not None:
                    share = self._source.share_read
                    if share is not None and engine is not None:  # which reads ahead
                        share *= self.rows / read
                    on_chunk(self.rows, self.rows_before, share)
                yield chunk

        with _engine(self._classifier) as engine:
            if engine is None:
                for chunk in chunks():
                    self._write(writer, chunk, score_texts(self._classifier, usable_texts(chunk), self.top_k))
                return
            # Closed at once when it is left: nobody begins then with what was sent and is not wanted any more.
            with closing(engine.score(chunks(), self.top_k)) as each:
                for chunk, scored in each:
                    # A chunk may have been done before an earlier one of the file: of what a process has taken since
                    # its start, the most is the newest.
                    known = self._usages.get(scored.by, scored.usage)
                    self._usages[scored.by] = max(known, scored.usage, key=attrgetter("texts", "requests", "tokens"))
                    self._write(writer, chunk, scored.scores)

    @property
    def usage(self) -> Usage:
        """What embedding took, all processes together."""
        if not self._usages:
            return _usage(self._classifier)
        total = Usage()
        for one in self._usages.values():
            total = total.plus(one)
        return total

    def _write(self, writer: CorpusWriter, chunk: Sequence[Row], scores: Scores) -> None:
        nothing = [None] * (2 * self.top_k)
        for row, label, top in answers_of(self._classifier, chunk, scores):
            if row.fault is not None:
                self.n_faults += 1
                if len(self.faults) < _MOST_FAULTS:
                    self.faults.append(RowFault(row.line, row.fault))
                writer.write(row, [*nothing, row.fault])
                continue
            others = [value for name, sure in top[1:] for value in (name, rounded_down(sure))]
            writer.write(row, [label, rounded_down(top[0][1]), *others, None])
        writer.flush()
        self._read(chunk)
        self._part.note(**self._noted())

    def _noted(self) -> dict[str, Any]:
        """Return what is to be known about the rows that are done, as `_NOTED` has it."""
        return {
            "rows": self.rows,
            "texts": self._digest.hexdigest(),
            "n_faults": self.n_faults,
            "faults": self.faults,
            "settings": self._settings,
        }


def _fingerprint(classifier: TextClassifier) -> str:
    digest = blake2b(digest_size=16)
    model, made_with = classifier.model, classifier.card.embedder
    about = json.dumps([model.classes, str(made_with), made_with.dimensions, made_with.endpoint, model.weights.shape])
    digest.update(about.encode())
    words = (
        [] if model.words is None else [model.words.vocabulary.hashes, model.words.vocabulary.idf, model.words.weights]
    )
    for part in (model.weights, model.bias, *words):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _usage(classifier: TextClassifier) -> Usage:
    return getattr(classifier.embedder, "usage", Usage())


class _Scored(NamedTuple):
    """What a worker gives back: the scores, and what its embedder has taken since it was opened."""

    scores: Scores
    by: str
    usage: Usage


class _Sent:
    """A classifier on its way to other processes, each of which opens it once.

    Parameters
    ----------
    key : str
        Its name there.
    data : bytes or None
        The classifier, pickled; None where it is brought by other means.
    classifier : TextClassifier, optional
        Itself, where it is open already: in this process, which does the work where one worker is left.
    """

    def __init__(self, key: str, data: bytes | None, classifier: TextClassifier | None = None) -> None:
        self._key, self._data, self._classifier = key, data, classifier

    def __reduce__(self) -> tuple[Any, ...]:
        # Nothing is opened here: of what fails while a task is being unpacked, nobody can say what it was.
        return _Sent, (self._key, self._data)

    def open(self) -> tuple[TextClassifier, str]:
        """Give the classifier, and what tells this process's from another's."""
        if self._classifier is not None:
            return self._classifier, self._key
        with _opening:
            if self._key not in _opened:
                while len(_opened) >= _MOST_OPEN:
                    del _opened[next(iter(_opened))]
                data = _brought.get(self._key) if self._data is None else self._data
                if data is None:
                    raise EmbedclfError("a worker has no classifier: the scheduler was started anew since it was sent")
                try:
                    opened = pickle.loads(data)  # noqa: S301 - as all that joblib sends
                except Exception as error:
                    raise EmbedclfError(
                        f"the classifier cannot be opened in another process ({engines.in_short(error)}): what it "
                        "needs must be there as it is here"
                    ) from error
                _opened[self._key] = opened, os.urandom(8).hex()
            return _opened[self._key]


_MOST_OPEN = 4
_opened: dict[str, tuple[TextClassifier, str]] = {}
_brought: dict[str, bytes] = {}
_opening = threading.Lock()


def _score(sent: _Sent, texts: list[str], top_k: int) -> _Scored:
    classifier, by = sent.open()
    scores = score_texts(classifier, texts, top_k)
    return _Scored(scores, by, _usage(classifier))


@dataclass(frozen=True, slots=True)
class _Engine:
    """Where joblib is told to work: what is sent there, how many chunks are worked on at once, and at most sent."""

    sent: _Sent
    n_slots: int
    n_sent: int

    def score(self, chunks: Iterator[list[Row]], top_k: int) -> Generator[tuple[list[Row], _Scored]]:
        """Score chunks, in their order. No more are read than are about to be worked on."""
        read: deque[list[Row]] = deque()
        failures: list[EmbedclfError] = []

        def tasks() -> Iterator[tuple[_Sent, list[str], int]]:
            try:
                for chunk in chunks:
                    read.append(chunk)
                    yield self.sent, usable_texts(chunk), top_k
            except EmbedclfError as error:  # said when what came before is written
                failures.append(error)

        with closing(engines.in_order(_score, tasks(), n_sent=self.n_sent, n_read=3 * self.n_slots)) as each:
            for scored in each:
                yield read.popleft(), scored
        if failures:
            raise failures[0]


@contextmanager
def _engine(classifier: TextClassifier) -> Iterator[_Engine | None]:
    """Give the engine that ``joblib.parallel_config`` names; None for this process alone."""
    backend, client = engines.backend(), engines.dask_client()
    if backend is None or ((n_slots := engines.n_slots()) == 1 and client is None):
        yield None
        return
    embedder: Any = classifier.embedder
    n_sent = 2 * n_slots
    if getattr(embedder, "concurrency", None) is not None:
        # Where there are more processes than requests, each sends one, and no more work than may send one.
        n_sent = min(n_sent, embedder.concurrency)
    if getattr(backend, "supports_sharedmem", False):
        yield _Engine(_Sent("", None, classifier), n_slots, n_sent)
        return
    n_processes = n_slots
    if client is not None:
        with engines.asking(client):
            n_processes = len(client.ncores())
    if hasattr(embedder, "shared_by"):
        classifier = TextClassifier(embedder.shared_by(max(1, n_processes)), classifier.model, classifier.card)
    try:
        key, data = os.urandom(16).hex(), pickle.dumps(classifier)
    except Exception as error:  # of an embedder that was handed over
        raise EmbedclfError(f"the classifier cannot be sent to other processes ({engines.in_short(error)})") from error
    if client is None:
        yield _Engine(_Sent(key, data, classifier), n_slots, n_sent)
        return
    with _brought_to_workers(client, key, data):
        yield _Engine(_Sent(key, None, classifier), n_slots, n_sent)


@contextmanager
def _brought_to_workers(client: Any, key: str, data: bytes) -> Iterator[None]:
    """Bring data to Dask's workers, once to each, and to those that come later.

    What is scattered is lost with the workers that hold it; this the scheduler keeps.
    """
    from distributed import WorkerPlugin

    class Bringing(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            _keep_brought(key, data)

        def teardown(self, worker: Any) -> None:
            _forget_brought(key)

    name = f"embedclf-{key}"
    with engines.asking(client):
        client.register_plugin(Bringing(), name=name)
    try:
        yield
    finally:
        try:
            if client.status == "running":  # else it is waited for, and the cluster may be gone
                client.unregister_worker_plugin(name)
        except Exception:  # what went wrong before is worth more
            logger.debug("The classifier stays with the workers", exc_info=True)


def _keep_brought(key: str, data: bytes) -> None:
    _brought[key] = data


def _forget_brought(key: str) -> None:
    _brought.pop(key, None)
    _opened.pop(key, None)
