"""Work on a Dask cluster."""

import logging
import pickle
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any

from embedclf._version import __version__
from embedclf.errors import EmbedclfError
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

_SECONDS_A_LOOK = 1.0
# A worker that was lost is started again by its nanny within a few seconds: before, there is nothing to say.
_SECONDS_ALONE = 3.0
_MOST_SHOWN = 200
_RUNNING = "running"
_CLOSED = ("closing", "closed")


def backend() -> Any:
    """Return the backend that ``joblib.parallel_config`` names, or joblib's default; None if none can be named."""
    if "joblib" not in sys.modules:  # so nothing can have been named
        return None
    from joblib.parallel import get_active_backend

    return get_active_backend()[0]


def dask_client() -> Any:
    """Return the client of the Dask cluster that ``joblib.parallel_config`` names; None if it names none."""
    return getattr(backend(), "client", None)


def without_workers(address: str) -> EmbedclfError:
    """Return the error for a cluster without workers."""
    return EmbedclfError(f"the scheduler {address} has no workers: start some with: dask worker {address}")


@contextmanager
def asking(client: Any) -> Iterator[None]:
    """Enter a block in which a cluster's scheduler or workers are asked for something.

    Raises
    ------
    EmbedclfError
        If they do not answer, or cannot do it.
    """
    if client.status in _CLOSED:
        raise EmbedclfError("the client that joblib.parallel_config names is closed: open another")
    address = client.scheduler.address
    try:
        yield
    except EmbedclfError:
        raise
    except OSError as error:
        raise EmbedclfError(f"the cluster of {address} does not answer ({in_short(error)})") from error
    except Exception as error:
        raise _unfit(address, error) from error


def _unfit(address: str, error: BaseException) -> EmbedclfError:
    return EmbedclfError(
        f"the cluster of {address} cannot do the work ({in_short(error)}): its scheduler and workers need embedclf "
        f"{__version__} and its packages as they are here"
    )


def in_short(error: BaseException) -> str:
    """Return an error's kind and words in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words if len(words) <= _MOST_SHOWN else f'{words[:_MOST_SHOWN]} …'}"


def in_order_on_dask(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], *, n_sent: int, n_read: int
) -> Generator[Any]:
    """Yield what a function makes of each task's arguments, in their order; see `executors.in_order`."""
    dask = backend()
    cluster = _Cluster(dask)
    tasks = iter(tasks)
    sent: deque[Any] = deque()
    try:
        # Where this is itself a worker's task, the worker may do another while it waits.
        with dask.retrieval_context():
            while True:
                cluster.changed.clear()
                while len(sent) < n_read and sum(not future.done() for future in sent) < n_sent:
                    few = list(islice(tasks, 1))
                    if not few:
                        break
                    sent.append(cluster.send(function, few[0]))
                if not sent:
                    return
                if (answer := cluster.answer(sent[0])) is None:
                    cluster.wait()
                    continue
                sent.popleft().release()
                yield _unpacked(answer)
    finally:
        for future in sent:  # those that have not been started never are
            future.release()


class _Cluster:
    """A Dask cluster at work: what is sent there, what comes back, and whether it still has workers.

    Parameters
    ----------
    dask : joblib.parallel.ParallelBackendBase
        joblib's own, which has the client.

    Attributes
    ----------
    changed : threading.Event
        Set when a task is done.
    """

    def __init__(self, dask: Any) -> None:
        self._client = dask.client
        self._options = getattr(dask, "submit_kwargs", {})
        self._address = self._client.scheduler.address
        self._alone_since: float | None = None
        self._remarked = False
        self.changed = threading.Event()

    def send(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Send a task, and return its future."""
        try:
            future = self._client.submit(_perform, function, arguments, pure=False, **self._options)
        except RuntimeError as error:  # of a client that is closed
            raise self._lost() from error
        future.add_done_callback(lambda _: self.changed.set())
        return future

    def answer(self, future: Any) -> bytes | None:
        """Return what `_perform` has packed; None if it is not there yet.

        Raises
        ------
        EmbedclfError
            If it will not come.
        """
        if not future.done():
            return None
        try:
            answer: bytes = future.result(timeout=_SECONDS_A_LOOK)
        except OSError:  # TimeoutError, too: the worker that has it is slow, or gone; then it is done again
            return None
        except CancelledError as error:
            raise self._lost() from error
        except Exception as error:
            raise self._given_up(error) from error
        return answer

    def wait(self) -> None:
        """Wait for a while, or until a task is done; log a warning while there is no worker.

        Raises
        ------
        EmbedclfError
            If the cluster is gone.
        """
        if self.changed.wait(_SECONDS_A_LOOK):
            return
        if self._client.status in _CLOSED:
            raise self._lost()
        if self._client.status != _RUNNING:  # it looks for the scheduler
            return
        try:
            is_alone = not self._client.ncores()
        except OSError:  # it is going: what was sent will be cancelled
            return
        if not is_alone:
            self._alone_since, self._remarked = None, False
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if not self._remarked and now - self._alone_since >= _SECONDS_ALONE:
            self._remarked = True
            logger.warning(
                "the scheduler %s has no workers left: waiting for some; start them with: dask worker %s",
                self._address,
                self._address,
            )

    def _lost(self) -> EmbedclfError:
        if self._client.status == _RUNNING:
            return EmbedclfError(f"the scheduler {self._address} has dropped the work: it was started anew, perhaps")
        return EmbedclfError(f"the scheduler {self._address} is not there any more")

    def _given_up(self, error: Any) -> EmbedclfError:
        last, allowed = getattr(error, "last_worker", None), getattr(error, "allowed_failures", None)
        if last is not None and allowed is not None:
            return EmbedclfError(
                f"the scheduler {self._address} has given up a part of the work: {counted(allowed + 1, 'worker')} died "
                f"at it, the last of them {last.address}; out of memory, perhaps, which their logs say"
            )
        return _unfit(self._address, error)


def _perform(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Do a task, on a worker, and pack what comes of it: whether it was done, and the result or the error.

    Packed here, since Dask may not report an answer that cannot be unpacked; `_unpacked` does.
    """
    try:
        return pickle.dumps((True, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
        if not isinstance(error, EmbedclfError):
            error.add_note(f"\nOn a worker:\n{traceback.format_exc()}")
        try:
            pickle.loads(packed := pickle.dumps((False, error)))  # noqa: S301 - made here
        except Exception:  # noqa: BLE001 - an error of any package may hold anything
            packed = pickle.dumps((False, EmbedclfError(f"a worker failed: {in_short(error)}")))
        return packed


def _unpacked(answer: bytes) -> Any:
    try:
        is_done, outcome = pickle.loads(answer)  # noqa: S301 - as all that joblib and Dask send
    except Exception as error:
        raise EmbedclfError(
            f"what a worker answers cannot be read here ({in_short(error)}): it needs the versions that are here"
        ) from error
    if not is_done:
        raise outcome
    return outcome
