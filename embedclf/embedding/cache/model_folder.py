"""The folder of one model's vectors: which files belong to it, who may write there, and what it says of itself."""

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
_LOCK = ".merge.lock"
_MOST_ABOUT_BYTES = 2**16
# A process that is killed while it writes leaves half a file, under a name of its own; no writing takes this long.
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part")
_SECONDS_TO_WRITE = 3_600.0
# A listing is repeated until two agree, but not for ever.
_TRIES = 50


class ModelFolder:
    """One model's folder.

    Parameters
    ----------
    path : Path
    spec : EmbedderSpec or None
        Noted in the folder when something is first written. None only looks at what is there: nothing is renamed.

    Attributes
    ----------
    path, spec
        As above.
    """

    def __init__(self, path: Path, spec: EmbedderSpec | None) -> None:
        self.path = path
        self.spec = spec
        # Whether the folder says whose vectors these are.
        self._described = False
        self._warned: set[str] = set()

    def warn(self, kind: str, message: str) -> None:
        """Log a warning, unless there has been one of its kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(message)

    def files(self) -> list[Path]:
        """List the files in the folder that are the cache's own."""
        ours = {_ABOUT, _LOCK, key_index.NAME}
        with os.scandir(self.path) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if (entry.name in ours or entry.name.endswith(_ENDINGS)) and not entry.is_dir(follow_symlinks=False)
            ]

    def segment_names(self) -> set[str]:
        """List the names of the segments.

        Raises
        ------
        OSError
            If the folder is there, but cannot be read.
        """
        # A merge writes the new file before it removes the old ones, but a listing made meanwhile can miss both: it is
        # repeated until two agree.
        before: set[str] | None = None
        for _ in range(_TRIES):
            try:
                # Plain files only: a named pipe would be waited for, and a link leads elsewhere.
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
        """Make the folder, and note in it whose vectors these are.

        Raises
        ------
        OSError or OutputError
            If it cannot be made or written to.
        """
        # Only its owner may look in: what somebody has embedded is nobody else's business.
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check_mode()
        about = self.path / _ABOUT
        if not self._described and self.spec is not None:
            said = json.dumps({name: getattr(self.spec, name) for name in _NAMED}).encode()
            with contextlib.suppress(OSError):
                self._described = read_plain(about, _MOST_ABOUT_BYTES) == said
            # What is no regular file is left alone, and not written through.
            if not self._described and (about.is_file() or not os.path.lexists(about)) and not about.is_symlink():
                with AtomicFile(about) as file:
                    file.write(said)
            self._described = True

    def describe(self) -> tuple[str, str | None]:
        """Return the name of the model and its endpoint, as the folder says; else the folder's own name."""
        path = self.path / _ABOUT
        reason = "it does not name a model"
        try:
            about = json.loads(read_plain(path, _MOST_ABOUT_BYTES))
            provider, model, endpoint = (about[name] for name in _NAMED)
            if isinstance(provider, str) and isinstance(model, str) and isinstance(endpoint, str | None):
                return f"{provider}:{model}", endpoint
        except FileNotFoundError:
            return self.path.name, None
        except OSError as error:
            reason = error.strerror or str(error)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        self.warn("about", f"cache: {path} cannot be used ({reason}): its vectors are listed under the folder's name")
        return self.path.name, None

    def check_mode(self) -> None:
        """Warn if others can write to the folder, and so plant what is read from it."""
        if os.name != "posix":
            return
        for folder in (self.path, self.path.parent, self.path.parent.parent):
            with contextlib.suppress(OSError):
                mode = folder.stat().st_mode
                # In a folder with the sticky bit, such as /tmp, nobody can rename another's files.
                if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
                    self.warn("mode", f"cache: others can write to {folder}; mend it with: chmod -R go-w {folder}")

    def removal_lock(self, seconds: float) -> "FileLock":
        """Return the lock to hold while segments are removed: one process at a time may merge or prune.

        Parameters
        ----------
        seconds : float
            How long acquiring it waits for another process.
        """
        from filelock import FileLock

        return FileLock(self.path / _LOCK, timeout=seconds)

    def sweep(self) -> None:
        """Delete what killed processes have left: files half written long ago, and times of no segment.

        Only under `removal_lock`.
        """
        long_ago = time.time() - _SECONDS_TO_WRITE
        with os.scandir(self.path) as entries:
            there = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
        for name, entry in there.items():
            half = _HALF_WRITTEN.fullmatch(name) and entry.stat().st_mtime < long_ago
            segment = name.removesuffix(last_used.ENDING) + SEGMENT_ENDING
            if half or (name.endswith(last_used.ENDING) and segment not in there):
                Path(entry.path).unlink(missing_ok=True)
