"""The classifier in use, and how another takes its place while the service runs."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from embedclf.classifier.loading import load
from embedclf.classifier.model_file import read_model
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import Embedder, EmbedderLike, EmbedderSpec
from embedclf.embedding.factory import EmbedderSettings
from embedclf.errors import EmbedclfError, ModelFileError
from embedclf.service.answer_window import AnswerWindow
from embedclf.service.redaction import error_kind

if TYPE_CHECKING:
    from embedclf.service.batching import Batcher

logger = logging.getLogger(__name__)
_SHOWN_DIGITS = 12


class FileVersion(NamedTuple):
    """What identifies the content of a model file.

    Attributes
    ----------
    name : str
        The file's name, without its folder.
    sha256 : str
        As ``sha256sum`` prints it.
    modified : float
        When it was last modified, in seconds since 1970.
    """

    name: str
    sha256: str
    modified: float


class ModelFile:
    """The file of a service's classifier, which can be loaded again.

    Embedders are opened once and used for every later version of the file, so that spending limits and counts carry on.

    Parameters
    ----------
    path : str or Path
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        See `embedclf.load`.
    min_confidence : float, optional
        Abstain below it; None keeps the threshold in the file.
    **settings
        See `embedclf.load`.

    Attributes
    ----------
    version : FileVersion or None
        The version that was loaded last; None before the first.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        embedder: EmbedderLike | None = None,
        min_confidence: float | None = None,
        **settings: Unpack[EmbedderSettings],
    ) -> None:
        self.version: FileVersion | None = None
        self._path = os.fspath(path)
        self._embedder = embedder
        self._min_confidence = min_confidence
        self._settings = settings
        self._opened: dict[EmbedderSpec, Embedder] = {}

    @property
    def embedders(self) -> list[Embedder]:
        """All embedders that have been opened."""
        return list(self._opened.values())

    def share_limit(self, embedder: Embedder, n: int) -> Embedder:
        """Keep to 1/n of the spending limit, since n processes load the file; return the embedder with that share."""
        if (most := self._settings.get("max_cost")) is not None:
            self._settings["max_cost"] = most / n
        shares = {spec: one.split(n) for spec, one in self._opened.items()}
        share = next((shares[spec] for spec, one in self._opened.items() if one is embedder), None)
        self._opened = shares
        return share or embedder.split(n)

    def load(self) -> TextClassifier:
        """Load the classifier from the file as it is now, with its embedder ready for use.

        Raises
        ------
        ModelFileError
            If the file is not usable, changes meanwhile, or has another embedder than the one that was passed.
        EmbedderError
            If its embedder is unknown, not installed, or would be called at a URL that only the file names.
        """
        before = self._stat()
        model, card = read_model(self._path)
        with Path(self._path).open("rb") as file:
            sha256 = file_digest(file, "sha256").hexdigest()
        opened = self._opened.get(card.embedder)
        classifier = self._open() if opened is None else make_classifier(opened, model, card)
        if self._min_confidence is not None:
            classifier = classifier.with_min_confidence(self._min_confidence)
        classifier.embedder.warm_up()
        if before is None or self._stat() != before:
            raise ModelFileError(f"{self._path} changed while it was being read; load it again", path=self._path)
        self._opened[classifier.card.embedder] = classifier.embedder
        self.version = FileVersion(Path(self._path).name, sha256, before.modified)
        return classifier

    def _open(self) -> TextClassifier:
        settings = self._settings.copy()
        if (most := settings.get("max_cost")) is not None:  # one limit for all embedders together
            settings["max_cost"] = max(0.0, most - sum(one.spent for one in self.embedders))
        return load(self._path, embedder=self._embedder, **settings)

    def _stat(self) -> "_Stat | None":
        try:
            found = Path(self._path).stat()
        except OSError:
            return None  # `read_model` says why
        return _Stat(found.st_dev, found.st_ino, found.st_size, found.st_mtime)


class _Stat(NamedTuple):
    device: int
    inode: int
    size: int
    modified: float


class Served(NamedTuple):
    """A classifier in use. A request keeps the one that it began with.

    Attributes
    ----------
    classifier : TextClassifier
    batcher : Batcher
        Batches the requests to this classifier.
    version : FileVersion or None
        The file that it comes from; None if it does not come from a `ModelFile`.
    loaded : float
        When the service loaded it, in seconds since 1970.
    window : AnswerWindow
        Its answers to the last texts.
    """

    classifier: TextClassifier
    batcher: "Batcher[Any, bytes]"
    version: FileVersion | None
    loaded: float
    window: AnswerWindow

    def file(self) -> dict[str, str] | None:
        """Return the file in use as plain types, for JSON."""
        if self.version is None:
            return None
        name, sha256, modified = self.version
        return {"name": name, "sha256": sha256, "modified": _in_utc(modified), "loaded": _in_utc(self.loaded)}

    def about(self) -> dict[str, Any]:
        """Return what is known about the classifier as plain types, for JSON."""
        about = self.classifier.to_dict() | {"features": self.classifier.model.features}
        return about if (file := self.file()) is None else about | {"file": file}


class CurrentModel:
    """The classifier in use, which a later version of its file can replace.

    Parameters
    ----------
    classifier : TextClassifier
    source : ModelFile or None
        The file that the classifier was loaded from; None if it cannot be replaced.
    batcher : callable
        Makes the batcher of a classifier, whose answers are noted in a window.

    Attributes
    ----------
    served : Served
    n_reloads, n_failed : int
        How often it has been replaced, and how often that failed.
    """

    def __init__(
        self,
        classifier: TextClassifier,
        source: ModelFile | None,
        batcher: "Callable[[TextClassifier, AnswerWindow], Batcher[Any, bytes]]",
    ) -> None:
        self._source = source
        self._batcher = batcher
        self._lock = asyncio.Lock()
        self.n_reloads = self.n_failed = 0
        self._replaced: list[Batcher[Any, bytes]] = []
        version = None if source is None else source.version
        self.served = self._begin(classifier, version)

    @property
    def can_reload(self) -> bool:
        """Whether the classifier comes from a file."""
        return self._source is not None

    @property
    def embedders(self) -> list[Embedder]:
        """All embedders used so far."""
        return (self._source and self._source.embedders) or [self.served.classifier.embedder]

    @property
    def n_waiting(self) -> int:
        """Number of requests that wait for their call to start, including those to a replaced classifier."""
        return sum(batcher.n_waiting for batcher in [*self._replaced, self.served.batcher])

    async def reload(self) -> Served:
        """Load the file in a thread, and use it for all requests from then on; only one reload runs at a time.

        Raises
        ------
        EmbedclfError
            If it cannot be used; the log says so too, and the classifier in use stays.
        """
        assert self._source is not None  # noqa: S101 - for the type checker; callers ask `can_reload`
        async with self._lock:
            try:
                classifier = await asyncio.to_thread(self._source.load)
            except Exception as error:
                self.n_failed += 1
                reason = str(error) if isinstance(error, EmbedclfError) else error_kind(error)
                logger.error("cannot reload; still serving %s: %s", _shown(self.served.version), reason)
                raise
            before, version = self.served.version, self._source.version
            self._replaced = [one for one in [*self._replaced, self.served.batcher] if one.n_waiting]
            self.served = self._begin(classifier, version)
            self.n_reloads += 1
            logger.info("reloaded %s; before: %s", _shown(version), _shown(before))
            return self.served

    def _begin(self, classifier: TextClassifier, version: FileVersion | None) -> Served:
        window = AnswerWindow(classifier)
        return Served(classifier, self._batcher(classifier, window), version, time.time(), window)


def _shown(version: FileVersion | None) -> str:
    return "" if version is None else f"{version.name} (SHA-256 {version.sha256[:_SHOWN_DIGITS]})"


def _in_utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
