"""The ledger: a record of what each run spent, kept next to the cache."""

import json
import logging
import os
import time
import weakref
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from embedclf.data.plain_file import open_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.charges import Charges
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.tracing import Trace
from embedclf.embedding.usage import Meter, Usage
from embedclf.formatting import counted, to_json

logger = logging.getLogger(__name__)

# Lines without spending are limited, since a service answered from the cache would fill the disk with them.
_SECONDS_BETWEEN_FREE_LINES = 60.0
# A price may change, so it is taken from no more than the latest tokens, and no more than the end of the file.
_ENOUGH_TOKENS = 1_000_000
_MOST_OF_END = 2**22
_MOST_OF_LINE = 2**16

_COUNTS = tuple(field.name for field in fields(Usage))
# Lines of earlier versions say nothing of what was charged.
_NEWER_COUNTS = {"charged_answers", "charged_tokens", "charged_dollars"}
_FRACTIONS = {"credits", "dollars", "charged_dollars"}
_KINDS = {name: (int, float) if name in _FRACTIONS else (int,) for name in _COUNTS}


class Entry(NamedTuple):
    """What one run spent with one model.

    Attributes
    ----------
    provider, model : str
    endpoint : str or None
    usage : Usage
    time : datetime or None
        When it was recorded; None if that is unknown.
    run, command : str or None
        See `Origin`. None in lines of earlier versions.
    """

    provider: str
    model: str
    endpoint: str | None
    usage: Usage
    time: datetime | None = None
    run: str | None = None
    command: str | None = None


class Ledger:
    """A JSON Lines file with one line per run. Safe for concurrent processes, since each line is appended atomically.

    Parameters
    ----------
    path : Path
        Created when the first line is added.

    Attributes
    ----------
    path : Path
        As passed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, spec: EmbedderSpec, usage: Usage, trace: Trace | None = None) -> None:
        """Add a line. A failure is only logged at debug level, since the cache has warned already.

        Parameters
        ----------
        spec : EmbedderSpec
        usage : Usage
        trace : Trace, optional
            The requests; None if none was sent.
        """
        trace = Trace() if trace is None else trace
        counts = asdict(usage)
        # Sums of fractions of a cent, without what floating point adds to them.
        rounded = {name: round(count, 12) for name, count in counts.items() if isinstance(count, float)}
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **trace.origin._asdict(),
            "provider": spec.provider,
            "model": spec.model,
            "endpoint": spec.endpoint,
            **counts,
            **rounded,
            "dollars_source": usage.dollars_source,
            **trace.take(),
        }
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(open_plain(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0) as file:
                file.write(to_json(line, ensure_ascii=True).encode() + b"\n")
        except OSError as error:
            logger.debug("the ledger %s cannot be written (%s)", self.path, error.strerror or error)

    def read(self) -> Iterator[Entry]:
        """Yield the entries of all lines, one at a time. Invalid lines are skipped with one warning."""
        n_invalid = 0
        try:
            with os.fdopen(open_plain(self.path), "rb") as file:
                while line := file.readline(_MOST_OF_LINE):
                    if (entry := _entry(line)) is not None:
                        yield entry
                    else:
                        n_invalid += 1
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            reason = error.strerror or error
            logger.warning("the ledger %s cannot be read (%s): spending is not listed", self.path, reason)
        if n_invalid:
            logger.warning("the ledger %s has %s: skipped", self.path, counted(n_invalid, "invalid line"))

    def entries(self) -> list[Entry]:
        """Return the entries of all lines; see `read`."""
        return list(self.read())

    def charges(self, spec: EmbedderSpec) -> Charges:
        """Return what the latest answers of a model were charged, as many as are enough to tell its price.

        Only the end of a long file is read.
        """
        charges = Charges()
        name = to_json(spec.model, ensure_ascii=True).encode()
        for line in reversed(self._last_lines()):
            if name not in line or (entry := _entry(line)) is None:
                continue
            # Small requests say little, since each is rounded up.
            is_of_it = (entry.provider, entry.model, entry.endpoint) == (spec.provider, spec.model, spec.endpoint)
            if is_of_it and entry.usage.charges.dollars_per_million_tokens is not None:
                charges = charges.plus(entry.usage.charges)
            if charges.tokens > _ENOUGH_TOKENS:
                break
        return charges

    def _last_lines(self) -> list[bytes]:
        try:
            with os.fdopen(open_plain(self.path), "rb") as file:
                start = max(0, os.fstat(file.fileno()).st_size - _MOST_OF_END)
                file.seek(start)
                lines = file.read(_MOST_OF_END).splitlines()
        except OSError:  # `read` says so to whom it matters
            return []
        return lines[1:] if start else lines


def _entry(line: bytes) -> Entry | None:
    try:
        content = json.loads(line)
        counts = {name: content[name] for name in _COUNTS if name in content or name not in _NEWER_COUNTS}
        provider, model, endpoint = content["provider"], content["model"], content["endpoint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_named = isinstance(provider, str) and isinstance(model, str) and isinstance(endpoint, str | None)
    if not is_named:
        return None
    for name, value in counts.items():
        if not (type(value) in _KINDS[name] and 0 <= value < 1e18) and not (name == "dollars" and value is None):
            return None
    run, command = (name if isinstance(name := content.get(key), str) else None for key in ("run", "command"))
    return Entry(provider, model, endpoint, Usage(**counts), _time(content.get("time")), run, command)


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


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
        self._meter.trace.take()

    def record(self, *, last: bool = False) -> None:
        """Record the usage since the last record; usage without requests can wait, unless this is the `last` record."""
        with self._lock:
            usage = self._meter.usage
            if usage == self._recorded:
                return
            spent = usage.requests != self._recorded.requests
            now = time.monotonic()
            if spent or last or now > self._recorded_at + _SECONDS_BETWEEN_FREE_LINES:
                self._ledger.add(self._spec, usage.plus(self._recorded, -1), self._meter.trace)
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
