"""What the workers of a Dask cluster have spent of one limit, kept by its scheduler."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from distributed import SchedulerPlugin, get_worker
from distributed.utils import sync

from embedclf.embedding.shared_spending import SharedSpending, SpentPart, first_state
from embedclf.errors import EmbedderError
from embedclf.parallel.dask_cluster import asking, in_short

# A worker needs milliseconds. One that is lost meanwhile must not stop the others.
_SECONDS_TO_CHANGE = 10.0
_SECONDS_TO_REMAIN = 600.0


class _Keeping(SchedulerPlugin):
    """Keeps the state on the scheduler, and lets one worker at a time change it.

    Parameters
    ----------
    key : str
        Distinguishes it from that of other runs.
    """

    def __init__(self, key: str) -> None:
        self.name = f"embedclf-spending-{key}"
        self._operations = _operations(key)
        self._state = first_state(SpentPart())
        self._holder: str | None = None
        self._has_ended = False

    async def start(self, scheduler: Any) -> None:
        """Let the workers call it."""
        self._until = 0.0
        self._freed = asyncio.Event()
        self._scheduler = scheduler
        scheduler.handlers.update(zip(self._operations, (self._take, self._give, self._end), strict=True))

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Take what a lost worker has in flight for spent; its chunks are sent to others."""
        for owner, part in self._state["parts"].items():
            if owner.startswith(f"{worker} "):
                spending = SpentPart(**part)
                spending.give_up()
                self._state["parts"][owner] = asdict(spending)

    async def _take(self, token: str) -> dict[str, Any] | None:
        while self._holder is not None and (left := self._until - time.monotonic()) > 0 and not self._has_ended:
            self._freed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), left)
        if self._has_ended:
            return None
        self._holder, self._until = token, time.monotonic() + _SECONDS_TO_CHANGE
        return self._state

    async def _give(self, token: str, state: dict[str, Any]) -> bool:
        if self._holder != token or self._has_ended:
            return False
        self._state, self._holder = state, None
        self._freed.set()
        return True

    async def _end(self) -> None:
        self._has_ended = True
        self._freed.set()
        self._scheduler.remove_plugin(self.name)
        # Tasks that still run learn so meanwhile.
        asyncio.get_running_loop().call_later(_SECONDS_TO_REMAIN, self._remove)

    def _remove(self) -> None:
        for operation in self._operations:
            self._scheduler.handlers.pop(operation, None)


def _operations(key: str) -> tuple[str, str, str]:
    return f"embedclf_take_{key}", f"embedclf_give_{key}", f"embedclf_end_{key}"


class SpendingOnScheduler(SharedSpending):
    """The state that a scheduler keeps.

    Parameters
    ----------
    key : str
    client : distributed.Client, optional
        To use outside of a worker.
    """

    def __init__(self, key: str, client: Any = None) -> None:
        self._key, self._client = key, client
        self._taking, self._giving, self._ending = _operations(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return SpendingOnScheduler, (self._key,)

    def owner(self) -> str:
        """Return a new name, which begins with the worker's address."""
        return f"{get_worker().address} {super().owner()}"

    def start(self, before: SpentPart) -> None:
        """Give it to the scheduler."""
        with self.changing() as state:
            state.update(first_state(before))

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Enter a block that may change it; see `SharedSpending.changing`."""
        token = os.urandom(8).hex()
        state = self._call(self._taking, token=token)
        if state is None:
            raise EmbedderError("the run that shares --max-cost has ended, so nothing more is sent")
        try:
            yield state
        finally:
            is_kept = self._call(self._giving, token=token, state=state)
        if not is_kept:
            raise EmbedderError("what was spent of --max-cost could not be noted in time, so nothing more is sent")

    def end(self) -> None:
        """Remove it from the scheduler; what still runs then cannot spend any more."""
        self._call(self._ending)

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            if self._client is not None:
                return self._client.sync(getattr(self._client.scheduler, operation), **arguments)
            worker = get_worker()
            return sync(worker.loop, getattr(worker.scheduler, operation), **arguments)
        except Exception as error:
            raise EmbedderError(
                f"--max-cost cannot be enforced any more ({in_short(error)}), so nothing more is sent"
            ) from error


@contextmanager
def kept_by_scheduler(client: Any, key: str) -> Iterator[SpendingOnScheduler]:
    """Enter a block in which a cluster's scheduler keeps what its workers spend."""
    plugin = _Keeping(key)
    with asking(client):
        client.register_plugin(plugin, name=plugin.name)
    kept = SpendingOnScheduler(key, client)
    try:
        yield kept
    finally:
        with suppress(EmbedderError):  # must not replace an error from the block above
            if client.status == "running":  # otherwise the call would block
                kept.end()
