"""Run tasks on a Dask cluster."""

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

_POLL_SECONDS = 1.0
# A nanny restarts a lost worker within a few seconds, so a cluster without workers is not reported before that.
_GRACE_SECONDS = 3.0
_MAX_MESSAGE = 200
_RUNNING = "running"
_CLOSED = ("closing", "closed")


def backend() -> Any:
    """Return the backend that ``joblib.parallel_config`` names, or joblib's default; None if joblib is not imported."""
    if "joblib" not in sys.modules:  # parallel_config cannot have been called, so the slow import is avoided
        return None
    from joblib.parallel import get_active_backend

    return get_active_backend()[0]


def dask_client() -> Any:
    """Return the client of the Dask cluster that ``joblib.parallel_config`` names; None if it names none."""
    return getattr(backend(), "client", None)


def without_workers(address: str) -> EmbedclfError:
    """Return the error for a cluster without workers."""
    return EmbedclfError(f"the scheduler {address} has no workers; start some with: dask worker {address}")


@contextmanager
def asking(client: Any) -> Iterator[None]:
    """Enter a block that calls a cluster's scheduler or workers.

    Raises
    ------
    EmbedclfError
        If the cluster does not respond, or the call fails there.
    """
    if client.status in _CLOSED:
        raise EmbedclfError("the Dask client in joblib.parallel_config is closed; open a new one")
    address = client.scheduler.address
    try:
        yield
    except EmbedclfError:
        raise
    except OSError as error:
        raise EmbedclfError(f"the cluster at {address} does not respond ({in_short(error)})") from error
    except Exception as error:
        raise _incompatible(address, error) from error


def _incompatible(address: str, error: BaseException) -> EmbedclfError:
    return EmbedclfError(
        f"the cluster at {address} cannot run the tasks ({in_short(error)}): its scheduler and workers need embedclf "
        f"{__version__} and the same versions of its dependencies as here"
    )


def in_short(error: BaseException) -> str:
    """Return an error's type and message in one line, shortened if it is long."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words if len(words) <= _MAX_MESSAGE else f'{words[:_MAX_MESSAGE]} …'}"


def in_order_on_dask(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], *, n_sent: int, n_read: int
) -> Generator[Any]:
    """Yield the function's result for each task, in order; see `executors.in_order`."""
    dask = backend()
    cluster = _Cluster(dask)
    tasks = iter(tasks)
    sent: deque[Any] = deque()
    try:
        # If this code runs in a Dask task itself, its worker may run other tasks meanwhile.
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
                yield _result_of(answer)
    finally:
        for future in sent:  # cancels the tasks that have not started
            future.release()


class _Cluster:
    """Submits tasks to a Dask cluster, collects their results, and watches whether the cluster still has workers.

    Parameters
    ----------
    dask : joblib.parallel.ParallelBackendBase
        joblib's Dask backend, which has the client.

    Attributes
    ----------
    changed : threading.Event
        Set when a task has finished.
    """

    def __init__(self, dask: Any) -> None:
        self._client = dask.client
        self._options = getattr(dask, "submit_kwargs", {})
        self._address = self._client.scheduler.address
        self._no_workers_since: float | None = None
        self._warned = False
        self.changed = threading.Event()

    def send(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Submit a task and return its future."""
        try:
            future = self._client.submit(_run_task, function, arguments, pure=False, **self._options)
        except RuntimeError as error:  # the client is closed
            raise self._lost() from error
        future.add_done_callback(lambda _: self.changed.set())
        return future

    def answer(self, future: Any) -> bytes | None:
        """Return the pickled result of `_run_task`; None if it is not available yet.

        Raises
        ------
        EmbedclfError
            If the result is lost.
        """
        if not future.done():
            return None
        try:
            answer: bytes = future.result(timeout=_POLL_SECONDS)
        except OSError:  # includes TimeoutError: the worker is slow, or gone, in which case Dask runs the task again
            return None
        except CancelledError as error:
            raise self._lost() from error
        except Exception as error:
            raise self._given_up(error) from error
        return answer

    def wait(self) -> None:
        """Wait briefly or until a task has finished; log a warning if there have been no workers for a while.

        Raises
        ------
        EmbedclfError
            If the client has lost the scheduler.
        """
        if self.changed.wait(_POLL_SECONDS):
            return
        if self._client.status in _CLOSED:
            raise self._lost()
        if self._client.status != _RUNNING:  # the client is reconnecting
            return
        try:
            has_workers = bool(self._client.ncores())
        except OSError:  # the connection is being lost; the futures will be cancelled
            return
        if has_workers:
            self._no_workers_since, self._warned = None, False
            return
        now = time.monotonic()
        self._no_workers_since = self._no_workers_since or now
        if not self._warned and now - self._no_workers_since >= _GRACE_SECONDS:
            self._warned = True
            logger.warning(
                "the scheduler %s has no workers left; waiting for new ones (start some with: dask worker %s)",
                self._address,
                self._address,
            )

    def _lost(self) -> EmbedclfError:
        if self._client.status == _RUNNING:
            return EmbedclfError(f"the scheduler {self._address} dropped the tasks; it may have been restarted")
        return EmbedclfError(f"lost the connection to the scheduler {self._address}")

    def _given_up(self, error: Any) -> EmbedclfError:
        last, allowed = getattr(error, "last_worker", None), getattr(error, "allowed_failures", None)
        if last is not None and allowed is not None:
            return EmbedclfError(
                f"the scheduler {self._address} gave up on a task after {counted(allowed + 1, 'worker')} died running "
                f"it, most recently {last.address}; check their logs; they may have run out of memory"
            )
        return _incompatible(self._address, error)


def _run_task(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Run a task on a worker, and return a pickle of whether it succeeded and of its result or error.

    It is pickled here because Dask may not report a result that cannot be unpickled; `_result_of` does.
    """
    try:
        return pickle.dumps((True, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - raised again in the client's process
        if not isinstance(error, EmbedclfError):
            error.add_note(f"\nOn a worker:\n{traceback.format_exc()}")
        try:
            pickle.loads(packed := pickle.dumps((False, error)))  # noqa: S301 - pickled on this line
        except Exception:  # noqa: BLE001 - pickling an error of another package may raise anything
            packed = pickle.dumps((False, EmbedclfError(f"a worker failed: {in_short(error)}")))
        return packed


def _result_of(answer: bytes) -> Any:
    try:
        is_done, outcome = pickle.loads(answer)  # noqa: S301 - joblib and Dask unpickle everything that they send, too
    except Exception as error:
        raise EmbedclfError(
            f"a worker's result cannot be read here ({in_short(error)}): the workers need the same versions of packages"
        ) from error
    if not is_done:
        raise outcome
    return outcome
