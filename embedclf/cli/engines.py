"""Where a file is labelled: in this process, on other cores, or on a cluster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embedclf.errors import EmbedclfError


@contextmanager
def working_on(engine: str | None, scheduler: str | None) -> Iterator[None]:
    """Tell joblib where to work.

    Raises
    ------
    EmbedclfError
        If the cluster does not answer, or has no worker.
    """
    if engine is None:
        yield
        return
    from joblib import parallel_config

    from embedclf.parallel.dask_cluster import without_workers

    if scheduler is None:
        with parallel_config(engine, n_jobs=-1):
            yield
        return
    try:
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    except ImportError:
        raise EmbedclfError("--engine dask needs Dask: pip install 'embedclf[dask]'") from None
    # What is lost is told of in one line, and not at length by those whom it was lost to as well.
    for name in ("distributed", "distributed.client", "distributed.gc", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # Of an address that is none, Client makes a half that takes a while to end.
        resolve_address(scheduler)
        client: Any = Client(scheduler, set_as_default=False, timeout=10)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a server of another kind makes it raise
        raise EmbedclfError(f"the scheduler {scheduler} does not answer ({error})") from error
    with client:
        if not client.ncores():
            raise without_workers(scheduler)
        with parallel_config(engine, client=client):
            yield
