"""The folder of one model's vectors: its files, permissions, description and lock."""

import contextlib
import json
import logging
import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache import key_index, last_used

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger(__name__)

SEGMENT_ENDING = ".joblib"
DAMAGED_ENDING = ".damaged"
_ENDINGS = (SEGMENT_ENDING, f"{SEGMENT_ENDING}{DAMAGED_ENDING}", ".part", last_used.ENDING)
_ABOUT = "model.json"
_NAMED = ("provider", "model", "endpoint")
_TOLD = ("task", "prompt")
_LOCK = ".merge.lock"
_MAX_ABOUT_BYTES = 2**16
# A process killed while writing leaves a partial file with a unique name; no write takes this long.
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part")
_SECONDS_TO_WRITE = 3_600.0
# Limits how often a listing is repeated until two agree.
_TRIES = 50


class ModelFolder:
    """One model's folder.

    Parameters
    ----------
    path : Path
    spec : EmbedderSpec or None
        Recorded in the folder on the first write. None opens the folder only for inspection: nothing is renamed.

    Attributes
    ----------
    path, spec
        As passed.
    """

    def __init__(self, path: Path, spec: EmbedderSpec | None) -> None:
        self.path = path
        self.spec = spec
        # Whether the folder contains a description of the model.
        self._described = False
        self._warned: set[str] = set()

    def warn(self, kind: str, message: str) -> None:
        """Log a warning, once per kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(message)

    def files(self) -> list[Path]:
        """Return the files in the folder that belong to the cache."""
        own = {_ABOUT, _LOCK, key_index.NAME}
        with os.scandir(self.path) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if (entry.name in own or entry.name.endswith(_ENDINGS)) and not entry.is_dir(follow_symlinks=False)
            ]

    def segment_names(self) -> set[str]:
        """Return the names of the segments.

        Raises
        ------
        OSError
            If the folder exists but cannot be read.
        """
        # A merge writes the new file before it removes the old ones, but a listing during a merge can miss both, so it
        # is repeated until two agree.
        before: set[str] | None = None
        for _ in range(_TRIES):
            try:
                # Regular files only: reading a named pipe would block, and a link leads out of the folder.
                with os.scandir(self.path) as entries:
                    now = {
                        entry.name
                        for entry in entries
                        if entry.name.endswith(SEGMENT_ENDING) and entry.is_file(follow_symlinks=False)
                    }
            except (FileNotFoundError, NotADirectoryError):
                return set()
            if now == before:
                break
            before = now
        return now

    def make(self) -> None:
        """Create the folder, and record in it which model the vectors come from.

        Raises
        ------
        OSError or OutputError
            If it cannot be created or written to.
        """
        # Private to the user, since it reveals what was embedded.
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check_mode()
        about = self.path / _ABOUT
        if not self._described and self.spec is not None:
            told = {name: value for name in _TOLD if (value := getattr(self.spec, name)) is not None}
            content = json.dumps({name: getattr(self.spec, name) for name in _NAMED} | told).encode()
            with contextlib.suppress(OSError):
                self._described = read_plain(about, _MAX_ABOUT_BYTES) == content
            # Do not overwrite anything but a regular file, and do not write through a link.
            if not self._described and (about.is_file() or not os.path.lexists(about)) and not about.is_symlink():
                with AtomicFile(about) as file:
                    file.write(content)
            self._described = True

    def describe(self) -> EmbedderSpec | None:
        """Return the model as recorded in the folder, of unknown length; None if there is no usable record."""
        path = self.path / _ABOUT
        reason = "it does not name a model"
        try:
            about = json.loads(read_plain(path, _MAX_ABOUT_BYTES))
            provider, model, endpoint = (about[name] for name in _NAMED)
            task, prompt = (about.get(name) for name in _TOLD)
            optional = (endpoint, task, prompt)
            if (
                isinstance(provider, str)
                and isinstance(model, str)
                and all(isinstance(x, str | None) for x in optional)
            ):
                return EmbedderSpec(provider, model, None, endpoint, task=task, prompt=prompt)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or str(error)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        self.warn("about", f"cache: {path} cannot be used ({reason}): its vectors are listed under the folder's name")
        return None

    def check_mode(self) -> None:
        """Warn if other users can write to the folder, and so plant vectors in it."""
        if os.name != "posix":
            return
        for folder in (self.path, self.path.parent, self.path.parent.parent):
            with contextlib.suppress(OSError):
                mode = folder.stat().st_mode
                # In a folder with the sticky bit, such as /tmp, users cannot rename each other's files.
                if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
                    self.warn("mode", f"cache: other users can write to {folder}; fix with: chmod -R go-w {folder}")

    def removal_lock(self, seconds: float) -> "FileLock":
        """Return the lock to hold while removing segments, so that one process at a time merges or prunes.

        Parameters
        ----------
        seconds : float
            Timeout for acquiring the lock.
        """
        from filelock import FileLock

        return FileLock(self.path / _LOCK, timeout=seconds)

    def sweep(self) -> None:
        """Delete what killed processes have left: old partial files, and times files without a segment.

        The caller must hold `removal_lock`.
        """
        long_ago = time.time() - _SECONDS_TO_WRITE
        with os.scandir(self.path) as entries:
            files = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
        for name, entry in files.items():
            half = _HALF_WRITTEN.fullmatch(name) and entry.stat().st_mtime < long_ago
            segment = name.removesuffix(last_used.ENDING) + SEGMENT_ENDING
            if half or (name.endswith(last_used.ENDING) and segment not in files):
                Path(entry.path).unlink(missing_ok=True)
