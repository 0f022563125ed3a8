"""Work divided over other cores and machines, where ``joblib.parallel_config`` says, and errors for what is lost there.

joblib's own backend for Dask hears of results only (``DaskDistributedBackend._collect`` of joblib 1.6): for a task that
the scheduler has given up, it waits forever. So joblib says where, and Dask's futures are waited for here.
"""

import logging
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from embedclf.errors import EmbedclfError
from embedclf.formatting import counted
from embedclf.parallel.dask_cluster import asking, dask_client, in_order_on_dask, without_workers

logger = logging.getLogger(__name__)
# What is being done, for a display of progress.
steps = logging.getLogger("embedclf.steps")


def all_of(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], *, n_jobs: int | None) -> list[Any]:
    """Return what a function makes of each task's arguments, in their order.

    Parameters
    ----------
    function : callable
        Of a module, so that others can import it.
    tasks : iterable of tuple
        Its arguments, each time.
    n_jobs : int or None
        How many at once, where ``joblib.parallel_config`` says nothing else.

    Raises
    ------
    EmbedclfError
        If the work is lost with the processes that did it.
    """
    from joblib import Parallel, delayed

    client = dask_client()
    if client is not None:
        tasks = list(tasks)
        # What each is fitted on goes along, and the scheduler keeps it: not all of them at once.
        return list(in_order_on_dask(function, tasks, n_sent=2 * max(1, n_slots()), n_read=len(tasks)))
    tasks, done = list(tasks), []
    with _reporting_lost_processes():
        for result in Parallel(n_jobs=n_jobs, return_as="generator")(delayed(function)(*task) for task in tasks):
            done.append(result)
            steps.debug("%d of %s done", len(done), counted(len(tasks), "part"))
    return done


def in_order(
    function: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], *, n_sent: int, n_read: int
) -> Generator[Any]:
    """Yield what a function makes of each task's arguments, in their order.

    Parameters
    ----------
    function : callable
        As of `all_of`.
    tasks : iterator of tuple
        No more are read than are about to be worked on.
    n_sent : int
        How many are worked on, or wait for a worker, at most.
    n_read : int
        How many are read before the first of them is done, at most.

    Raises
    ------
    EmbedclfError
        If the work is lost with the processes that did it.
    """
    if dask_client() is not None:
        yield from in_order_on_dask(function, tasks, n_sent=n_sent, n_read=n_read)
        return
    from joblib import Parallel, delayed

    # joblib's own generator reads on however slowly its results are taken: it is given a few at a time, and the next
    # few are read meanwhile.
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
                # Broken off, it would advise to begin less.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    each.close()
            few = ahead


def n_slots() -> int:
    """Return how many tasks are worked on at once, where ``joblib.parallel_config`` says nothing but where.

    Raises
    ------
    EmbedclfError
        If a cluster does not answer, or has no worker, and gets none while joblib waits for one.
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
    except BrokenProcessPool as error:  # loky's is one
        codes = re.search(r"exit codes of the workers are \{(.+?)\}", str(error))
        how = f" ({codes[1]})" if codes else ""
        raise EmbedclfError(
            f"a process that did a part of the work was lost{how}: killed, perhaps, where there was no more memory"
        ) from error
