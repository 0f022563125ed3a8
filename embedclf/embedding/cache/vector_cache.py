"""The vector cache on disk: joblib files with per-text keys, so that no text is paid for twice.

There is one folder, a `ModelCache`, per combination of endpoint, model and any other setting that changes vectors. A
key is the 128-bit blake2b of the text only, so that changes to this source do not invalidate the cache.
"""

import contextlib
import json
import logging
import os
import re
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.model_cache import CacheInfo, ModelCache
from embedclf.embedding.cache.model_folder import ModelFolder
from embedclf.embedding.ledger import Ledger
from embedclf.errors import OutputError

if TYPE_CHECKING:
    from embedclf.embedding.cache.pruning import PruneReport
    from embedclf.embedding.spending import By, Spending


logger = logging.getLogger(__name__)


def open_cache(cache: "VectorCache | bool") -> "VectorCache | None":
    """Return the cache for an argument `cache`: True means the command line's cache, False means None."""
    if not isinstance(cache, bool):
        return cache
    return VectorCache() if cache else None


def default_folder() -> Path:
    """Return the default cache folder: ``EMBEDCLF_CACHE_DIR`` if set, else the platform's user cache folder."""
    if from_environment := os.environ.get("EMBEDCLF_CACHE_DIR"):
        return Path(from_environment).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("embedclf", appauthor=False)


class VectorCache:
    """A cache of vectors on disk. Safe for concurrent threads and processes.

    Parameters
    ----------
    folder : str or Path, optional
        None uses `default_folder`. It is created on the first write.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"VectorCache({str(self.folder)!r})"

    def __getstate__(self) -> dict[str, str]:
        return {"folder": str(self.folder)}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.folder = Path(state["folder"])

    def of_model(self, spec: EmbedderSpec, asked_dimensions: int | None = None) -> "ModelCache":
        """Open the cache of one model, at full length or at the length requested from the model."""
        also: list[Any] = [] if asked_dimensions is None else [asked_dimensions]
        # Folders of models that are told nothing keep the names that they had before models could be told anything.
        also += [{"task": spec.task, "prompt": spec.prompt}] if spec.told else []
        named = json.dumps([spec.provider, spec.endpoint, spec.model, *also]).encode()
        slug = re.sub(r"[^A-Za-z0-9.-]+", "_", spec.model)[:60]
        return ModelCache(self._vectors / f"{slug}-{blake2b(named, digest_size=6).hexdigest()}", spec)

    @property
    def ledger(self) -> Ledger:
        """The record of what each run spent, which is kept when the cache is cleared or pruned."""
        return Ledger(self.folder / "ledger.jsonl")

    def spending(self, by: "By" = "day", *, since: date | timedelta | None = None) -> "Spending":
        """Return what was spent, and what the cache saved, as ``embedclf usage`` shows it.

        Parameters
        ----------
        by : {"day", "model", "command"}
            What each row is about.
        since : date, datetime or timedelta, optional
            Leave out what was recorded earlier: before midnight of a date, before a datetime (which is local unless it
            has a time zone), or longer ago than a timedelta. None leaves out nothing.
        """
        from embedclf.embedding.spending import spending_in

        return spending_in(self.ledger, by, since)

    @property
    def _vectors(self) -> Path:
        return self.folder / "vectors"

    def _parts(self) -> list[Path]:
        try:
            with os.scandir(self._vectors) as entries:
                return sorted(Path(entry.path) for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            logger.warning("cache: %s cannot be read (%s): ignored", self._vectors, error.strerror or error)
            return []

    def info(self) -> list[CacheInfo]:
        """Return the contents of the cache per model."""
        return [info for path in self._parts() if (info := ModelCache(path, None).info()).n_vectors]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing for `clear` to delete, including damaged and leftover files."""
        try:
            return not any(ModelFolder(part, None).files() for part in self._parts())
        except OSError:
            return False

    def clear(self) -> None:
        """Delete all of the cache's files, including unusable ones. Other files in its folders are kept.

        Raises
        ------
        OutputError
            If a file cannot be deleted.
        """
        for part in self._parts():
            try:
                for path in ModelFolder(part, None).files():
                    path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: it contains foreign files
                    part.rmdir()
            except OSError as error:
                raise OutputError(f"cannot clear {part}: {error.strerror or error}", path=str(part)) from error

    def to_prune(self, older_than: timedelta | None = None, max_bytes: int | None = None) -> "PruneReport":
        """Return what `prune` would drop, without dropping anything."""
        from embedclf.embedding.cache import pruning

        return pruning.preview([ModelCache(path, None) for path in self._parts()], older_than, max_bytes)

    def prune(self, older_than: timedelta | None = None, max_bytes: int | None = None) -> "PruneReport":
        """Drop the least recently used vectors across all models.

        Uses are recorded at most once an hour; a vector that was never read counts as used when it was written. Other
        processes may read and write at the same time, and vectors that they use are kept. Damaged and foreign files are
        neither touched nor counted.

        Parameters
        ----------
        older_than : timedelta, optional
            Drop vectors that have not been used for this long.
        max_bytes : int, optional
            Then drop more vectors until the rest fit into this many bytes.

        Raises
        ------
        OutputError
            If the cache cannot be written. Vectors dropped before the error are gone; all others are kept.
        """
        from embedclf.embedding.cache import pruning

        return pruning.prune([ModelCache(path, None) for path in self._parts()], older_than, max_bytes)
