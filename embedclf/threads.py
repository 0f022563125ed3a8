"""How many threads the products of matrices take."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let each product of matrices within take one thread.

    Threads of BLAS wait for each other by spinning. Where another program wants the cores, too, a product that is
    divided among them takes many times as long as on one; and on quiet cores, small ones hardly gain. What is large is
    divided into threads of our own, which do not wait for each other.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
