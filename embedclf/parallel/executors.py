"""Run tasks on the cores or machines that ``joblib.parallel_config`` names, and report tasks that are lost there.

joblib's own Dask backend is told of results only (``DaskDistributedBackend._collect`` in joblib 1.6), so it waits
forever for a task that the scheduler has given up on. Here, joblib only names the cluster, and Dask's futures are
awaited directly.
"""

import logging
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from embedclf.errors import EmbedclfError
from embedclf.parallel.dask_cluster import asking, dask_client, in_order_on_dask, without_workers
from embedclf.parallel.reporting import Reporting, heard, watching
from embedclf.phases import Phase

logger = logging.getLogger(__name__)


def all_of(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], doing: Phase, *, n_jobs: int | None
) -> list[Any]:
    """Return the function's result for each task, in order.

    Parameters
    ----------
    function : callable
        A module-level function, so that other processes can import it.
    tasks : iterable of tuple
        The arguments of each call.
    doing : Phase
        Each task is a step of it.
    n_jobs : int or None
        Number of concurrent tasks, unless ``joblib.parallel_config`` says otherwise.

    Raises
    ------
    EmbedclfError
        If a worker process is lost.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    client = dask_client()
    if client is not None:
        tasks, doing.at_once = list(tasks), max(1, n_slots())
        # The scheduler keeps the data of each submitted task in memory, so they are not all submitted at once.
        return _all(in_order_on_dask(function, tasks, n_sent=2 * doing.at_once, n_read=len(tasks)), doing)
    doing.at_once = int(effective_n_jobs(n_jobs))
    with _reporting_lost_processes(), watching(doing) as folder:
        run = delayed(Reporting(function, folder))
        each = Parallel(n_jobs=n_jobs, return_as="generator")(run(number, *task) for number, task in enumerate(tasks))
        return _all(heard(each), doing)


def _all(results: Iterable[Any], doing: Phase) -> list[Any]:
    done = []
    for result in results:
        done.append(result)
        doing.advance()
    return done


def in_order(
    function: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], *, n_sent: int, n_read: int
) -> Generator[Any]:
    """Yield the function's result for each task, in order.

    Parameters
    ----------
    function : callable
        As for `all_of`.
    tasks : iterator of tuple
        The arguments of each call, read only shortly before they are needed.
    n_sent : int
        Maximum number of tasks that run or wait for a worker.
    n_read : int
        Maximum number of tasks that are read before the first of them has finished.

    Raises
    ------
    EmbedclfError
        If a worker process is lost.
    """
    if dask_client() is not None:
        yield from in_order_on_dask(function, tasks, n_sent=n_sent, n_read=n_read)
        return
    from joblib import Parallel, delayed

    # joblib's generator reads ahead without limit, however slowly its results are consumed. So it gets a few tasks at a
    # time, and the next few are read meanwhile.
    with _reporting_lost_processes(), Parallel(return_as="generator", pre_dispatch=n_sent, batch_size=1) as parallel:
        few = list(islice(tasks, 1))
        while few:
            few += islice(tasks, n_read - len(few))
            ahead: list[tuple[Any, ...]] = []
            each = parallel(delayed(function)(*task) for task in few)
            try:
                for done in each:
                    yield done
                    ahead += islice(tasks, 1)
            finally:
                # If closed early, joblib warns and recommends submitting fewer tasks, which does not apply here.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    each.close()
            few = ahead


def n_slots() -> int:
    """Return how many tasks run at once under the current ``joblib.parallel_config``.

    Raises
    ------
    EmbedclfError
        If a cluster does not respond, or still has no workers after joblib has waited for one.
    """
    from joblib import effective_n_jobs

    client = dask_client()
    if client is None:
        return int(effective_n_jobs(None))
    with asking(client):
        try:
            return int(effective_n_jobs(None))
        except TimeoutError as error:
            raise without_workers(client.scheduler.address) from error


@contextmanager
def _reporting_lost_processes() -> Iterator[None]:
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield
    except BrokenProcessPool as error:  # the base class of loky's error
        codes = re.search(r"exit codes of the workers are \{(.+?)\}", str(error))
        how = f" ({codes[1]})" if codes else ""
        raise EmbedclfError(f"a worker process died{how}; it may have been killed for lack of memory") from error
