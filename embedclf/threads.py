"""Number of threads for matrix products."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# A lower priority could leave a thread that holds Python's lock without a core, and others waiting for it.
_NICE = 10


@contextmanager
def one_thread() -> Iterator[None]:
    """Run each matrix product inside the ``with`` block on one thread.

    BLAS threads wait for each other by spinning. If another program competes for the cores, a product divided among
    them takes many times as long as on a single core; and on idle cores, small products hardly gain. Large work is
    divided among threads of the package's own, which do not wait for each other.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def yield_to_others() -> None:
    """Let other threads of this process, and other programs, have the cores first from now on, where the system can.

    Linux has a priority for each thread; elsewhere, the whole process would be slowed down.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
