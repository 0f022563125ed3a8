"""The ledger: a record of what each run spent, kept next to the cache."""

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
from embedclf.embedding.charges import Charges
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.usage import Meter, Usage
from embedclf.formatting import counted, to_json

logger = logging.getLogger(__name__)

# Lines without spending are limited, since a service answered from the cache would fill the disk with them.
_SECONDS_BETWEEN_FREE_LINES = 60.0
# A price may change, so no more than the latest so many tokens tell it.
_ENOUGH_TOKENS = 1_000_000


class Entry(NamedTuple):
    """What one run, or all runs of a model, spent."""

    provider: str
    model: str
    endpoint: str | None
    usage: Usage


class Ledger:
    """A JSON Lines file with one line per run. Safe for concurrent processes, since each line is appended atomically.

    Parameters
    ----------
    path : Path
        Created when the first line is added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, spec: EmbedderSpec, usage: Usage) -> None:
        """Add a line. A failure is only logged at debug level, since the cache has warned already."""
        about = {"provider": spec.provider, "model": spec.model, "endpoint": spec.endpoint}
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **about, **asdict(usage)}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(open_plain(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0) as file:
                file.write(to_json(line, ensure_ascii=True).encode() + b"\n")
        except OSError as error:
            logger.debug("the ledger %s cannot be written (%s)", self._path, error.strerror or error)

    def entries(self) -> list[Entry]:
        """Return the entries of all lines. Invalid lines are skipped with one warning."""
        try:
            lines = read_plain(self._path).splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or "it is too large"
            logger.warning("the ledger %s cannot be read (%s): spending is not listed", self._path, reason)
            return []
        entries = [entry for line in lines if (entry := _entry(line)) is not None]
        if len(entries) < len(lines):
            skipped = counted(len(lines) - len(entries), "invalid line")
            logger.warning("the ledger %s has %s: skipped", self._path, skipped)
        return entries

    def charges(self, spec: EmbedderSpec) -> Charges:
        """Return what the latest answers of a model were charged, as many as are enough to tell its price."""
        charges = Charges()
        for entry in reversed(self.entries()):
            if (entry.provider, entry.model, entry.endpoint) == (spec.provider, spec.model, spec.endpoint):
                # Small requests say little, since each is rounded up.
                if entry.usage.charges.dollars_per_million_tokens is not None:
                    charges = charges.plus(entry.usage.charges)
                if charges.tokens > _ENOUGH_TOKENS:
                    break
        return charges

    def totals(self) -> list[Entry]:
        """Return the sums per model."""
        sums: dict[tuple[str, str, str | None], Usage] = {}
        for entry in self.entries():
            model = (entry.provider, entry.model, entry.endpoint)
            sums[model] = sums[model].plus(entry.usage) if model in sums else entry.usage
        return [Entry(*model, usage) for model, usage in sums.items()]


def _entry(line: bytes) -> Entry | None:
    try:
        content = json.loads(line)
        # Lines of earlier versions say nothing of what was charged.
        content = {"charged_answers": 0, "charged_tokens": 0, "charged_dollars": 0.0, **content}
        counts = {field.name: content[field.name] for field in fields(Usage)}
        provider, model, endpoint = content["provider"], content["model"], content["endpoint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_named = isinstance(provider, str) and isinstance(model, str) and isinstance(endpoint, str | None)
    if not is_named or not all(_is_count(value, name) for name, value in counts.items()):
        return None
    return Entry(provider, model, endpoint, Usage(**counts))


def _is_count(value: Any, name: str) -> bool:
    if name == "dollars" and value is None:
        return True
    kinds = (int, float) if name in ("credits", "dollars", "charged_dollars") else (int,)
    return type(value) in kinds and 0 <= value < 1e18


_accounts: "weakref.WeakSet[Account]" = weakref.WeakSet()


class Account:
    """Records the counts of a meter in a ledger.

    Parameters
    ----------
    ledger : Ledger
    spec : EmbedderSpec
    meter : Meter
    """

    def __init__(self, ledger: Ledger, spec: EmbedderSpec, meter: Meter) -> None:
        self._ledger, self._spec, self._meter = ledger, spec, meter
        self._recorded = meter.usage
        self._recorded_at = time.monotonic()
        self._lock = ForkSafeLock()
        _accounts.add(self)

    def mark_recorded(self) -> None:
        """Mark all counts so far as recorded."""
        self._recorded = self._meter.usage

    def record(self, *, last: bool = False) -> None:
        """Record the usage since the last record; usage without requests can wait, unless this is the `last` record."""
        with self._lock:
            usage = self._meter.usage
            if usage == self._recorded:
                return
            spent = usage.requests != self._recorded.requests
            now = time.monotonic()
            if spent or last or now > self._recorded_at + _SECONDS_BETWEEN_FREE_LINES:
                self._ledger.add(self._spec, usage.plus(self._recorded, -1))
                self._recorded, self._recorded_at = usage, now

    def record_at_exit_of(self, owner: object) -> None:
        """Record the remaining usage when the owner is garbage-collected or the process ends."""
        weakref.finalize(owner, self.record, last=True)


def _skip_parents_usage() -> None:
    for account in _accounts:
        account.mark_recorded()


# The parent records the usage that a forked process inherits.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_skip_parents_usage)
