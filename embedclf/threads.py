"""How many threads the products of matrices take."""

from collections.abc import Iterator
from contextlib import contextmanager

_WORTH_THREADS = 1e9


@contextmanager
def few_threads(n_multiplications: float = 0.0) -> Iterator[None]:
    """Let the products of matrices within take one thread each, unless they are large.

    Threads of BLAS wait for each other by spinning. Where another program wants the cores, too, a small product that is
    divided among them takes many times as long as on one; and on quiet cores it hardly gains.

    Parameters
    ----------
    n_multiplications : float
        Of a typical product.
    """
    if n_multiplications >= _WORTH_THREADS:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
