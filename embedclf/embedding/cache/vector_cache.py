"""The cache of vectors on disk: joblib files under per-text keys, so that no text is paid for twice.

A folder for each endpoint and model, named by whatever changes a vector, is a `ModelCache`. A key is the 128-bit
blake2b of the text; nothing of this source is part of it.
"""

import contextlib
import json
import logging
import os
import re
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.model_cache import CacheInfo, ModelCache
from embedclf.embedding.cache.model_folder import ModelFolder
from embedclf.embedding.ledger import Ledger
from embedclf.errors import OutputError

if TYPE_CHECKING:
    from embedclf.embedding.cache.pruning import PruneReport


logger = logging.getLogger(__name__)


def open_cache(cache: "VectorCache | bool") -> "VectorCache | None":
    """Return the cache that is meant: True is the one that the command line uses, False none."""
    if not isinstance(cache, bool):
        return cache
    return VectorCache() if cache else None


def default_folder() -> Path:
    """Return the folder of the cache: ``EMBEDCLF_CACHE_DIR``, else the platform's folder for a user's caches."""
    if from_environment := os.environ.get("EMBEDCLF_CACHE_DIR"):
        return Path(from_environment).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("embedclf", appauthor=False)


class VectorCache:
    """A folder of vectors. Processes and threads may share it.

    Parameters
    ----------
    folder : str or Path, optional
        None takes `default_folder`. It is made when something is first written.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"VectorCache({str(self.folder)!r})"

    def of_model(self, spec: EmbedderSpec, asked_dimensions: int | None = None) -> "ModelCache":
        """Open the part that holds one model's vectors, at full length or at that which the model is asked for."""
        asked = [] if asked_dimensions is None else [asked_dimensions]
        named = json.dumps([spec.provider, spec.endpoint, spec.model, *asked]).encode()
        slug = re.sub(r"[^A-Za-z0-9.-]+", "_", spec.model)[:60]
        return ModelCache(self._vectors / f"{slug}-{blake2b(named, digest_size=6).hexdigest()}", spec)

    @property
    def ledger(self) -> Ledger:
        """What each run spent; it stays when the cache is cleared or pruned."""
        return Ledger(self.folder / "ledger.jsonl")

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
            logger.warning("cache: %s cannot be read (%s): left out", self._vectors, error.strerror or error)
            return []

    def info(self) -> list[CacheInfo]:
        """Return what the cache holds, model by model."""
        return [info for path in self._parts() if (info := ModelCache(path, None).info()).n_vectors]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing for `clear` to delete: no vectors, and no files that are damaged or left over."""
        try:
            return not any(ModelFolder(part, None).files() for part in self._parts())
        except OSError:
            return False

    def clear(self) -> None:
        """Delete every file of ours, whether its vectors can be used or not. Other files stay.

        Raises
        ------
        OutputError
            If a file cannot be deleted.
        """
        for part in self._parts():
            try:
                for path in ModelFolder(part, None).files():
                    path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # something that is not ours is in it
                    part.rmdir()
            except OSError as error:
                raise OutputError(f"cannot clear {part}: {error.strerror or error}", path=str(part)) from error

    def to_prune(self, older_than: timedelta | None = None, max_bytes: int | None = None) -> "PruneReport":
        """Return what `prune` would drop, and drop nothing."""
        from embedclf.embedding.cache import pruning

        return pruning.preview([ModelCache(path, None) for path in self._parts()], older_than, max_bytes)

    def prune(self, older_than: timedelta | None = None, max_bytes: int | None = None) -> "PruneReport":
        """Drop the least recently used vectors, of all models together.

        A use is noted when the last one noted is an hour old; what was never read counts as used when it was written.
        Other processes may read and write meanwhile, and what they use is kept. Damaged and foreign files are left
        alone, and not counted.

        Parameters
        ----------
        older_than : timedelta, optional
            Drop what has not been used for this long.
        max_bytes : int, optional
            Drop as many more as it takes for the rest to fit into this many bytes.

        Raises
        ------
        OutputError
            If the cache cannot be written; what was dropped before is gone, everything else is there.
        """
        from embedclf.embedding.cache import pruning

        return pruning.prune([ModelCache(path, None) for path in self._parts()], older_than, max_bytes)
