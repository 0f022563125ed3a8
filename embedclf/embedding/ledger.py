"""The ledger: what each run spent, kept beside the cache."""

import json
import logging
import os
import time
import weakref
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from embedclf.data.plain_file import open_plain, read_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.usage import Meter, Usage
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

# What cost nothing is written less often: a service that is served from the cache would fill the disk.
_SECONDS_BETWEEN_FREE_LINES = 60.0


class Entry(NamedTuple):
    """What one run spent."""

    provider: str
    model: str
    endpoint: str | None
    usage: Usage


class Ledger:
    """A file of JSON lines, one for each run. Processes may share it: a line is added in one piece.

    Parameters
    ----------
    path : Path
        Made when something is first added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, spec: EmbedderSpec, usage: Usage) -> None:
        """Add a line. Where none can be written, the cache has said so."""
        about = {"provider": spec.provider, "model": spec.model, "endpoint": spec.endpoint}
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **about, **asdict(usage)}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(open_plain(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0) as file:
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            logger.debug("the ledger %s cannot be written (%s)", self._path, error.strerror or error)

    def entries(self) -> list[Entry]:
        """Read every line. Lines that are damaged, or not ours, are left out with one warning."""
        try:
            lines = read_plain(self._path).splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or "it is too large"
            logger.warning("the ledger %s cannot be read (%s): what was spent is not listed", self._path, reason)
            return []
        entries = [entry for line in lines if (entry := _entry(line)) is not None]
        if len(entries) < len(lines):
            left_out = counted(len(lines) - len(entries), "line")
            logger.warning("the ledger %s has %s that cannot be read: left out", self._path, left_out)
        return entries

    def totals(self) -> list[Entry]:
        """Sum up the lines of each model."""
        sums: dict[tuple[str, str, str | None], Usage] = {}
        for entry in self.entries():
            model = (entry.provider, entry.model, entry.endpoint)
            sums[model] = sums[model].plus(entry.usage) if model in sums else entry.usage
        return [Entry(*model, usage) for model, usage in sums.items()]


def _entry(line: bytes) -> Entry | None:
    try:
        content = json.loads(line)
        counts = {field.name: content[field.name] for field in fields(Usage)}
        provider, model, endpoint = content["provider"], content["model"], content["endpoint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    named = isinstance(provider, str) and isinstance(model, str) and isinstance(endpoint, str | None)
    if not named or any(_is_no_count(value, name) for name, value in counts.items()):
        return None
    return Entry(provider, model, endpoint, Usage(**counts))


def _is_no_count(value: Any, name: str) -> bool:
    if name == "dollars" and value is None:
        return False
    kinds = (int, float) if name in ("credits", "dollars") else (int,)
    return type(value) not in kinds or not 0 <= value < 1e18


_accounts: "weakref.WeakSet[Account]" = weakref.WeakSet()


class Account:
    """Carries what a meter counts into a ledger.

    Parameters
    ----------
    ledger : Ledger
    spec : EmbedderSpec
    meter : Meter
    """

    def __init__(self, ledger: Ledger, spec: EmbedderSpec, meter: Meter) -> None:
        self._ledger, self._spec, self._meter = ledger, spec, meter
        self._entered = meter.usage
        self._entered_at = time.monotonic()
        self._lock = ForkSafeLock()
        _accounts.add(self)

    def leave_out(self) -> None:
        """Never enter what has been counted so far."""
        self._entered = self._meter.usage

    def enter(self, *, last: bool = False) -> None:
        """Enter what has been spent since the last time; what only was spared can wait, unless this is the last."""
        with self._lock:
            usage = self._meter.usage
            if usage == self._entered:
                return
            spent = usage.requests != self._entered.requests
            now = time.monotonic()
            if spent or last or now > self._entered_at + _SECONDS_BETWEEN_FREE_LINES:
                self._ledger.add(self._spec, usage.plus(self._entered, -1))
                self._entered, self._entered_at = usage, now

    def enter_with(self, owner: object) -> None:
        """Enter what is left when the owner goes, or the process ends."""
        weakref.finalize(owner, self.enter, last=True)


def _leave_out_the_parents() -> None:
    for account in _accounts:
        account.leave_out()


# What a forked process inherits, its parent enters.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_out_the_parents)
