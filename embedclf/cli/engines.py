"""Where a file is labelled: in this process, on all cores, or on a Dask cluster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embedclf.errors import EmbedclfError


@contextmanager
def working_on(engine: str | None, scheduler: str | None) -> Iterator[None]:
    """Configure joblib's backend for the block.

    Raises
    ------
    EmbedclfError
        If the cluster cannot be reached or has no workers.
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
    # A lost connection is reported in one line by this package; Dask would add tracebacks.
    for name in ("distributed", "distributed.client", "distributed.gc", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # Given an invalid address, Client starts anyway and is slow to shut down.
        resolve_address(scheduler)
        client: Any = Client(scheduler, set_as_default=False, timeout=10)  # type: ignore[no-untyped-call]
    except Exception as error:  # a server of another kind can cause any exception
        raise EmbedclfError(f"cannot connect to the scheduler {scheduler}: {error}") from error
    with client:
        if not client.ncores():
            raise without_workers(scheduler)
        with parallel_config(engine, client=client):
            yield
