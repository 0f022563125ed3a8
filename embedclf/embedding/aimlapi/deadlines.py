"""A deadline for the whole of an answer, however slowly it comes.

The HTTP client's time-outs start anew with each byte. This goes by private names of httpx and httpcore, which
tests/test_private_parts.py watches.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

# What is written at once has a time-out for each time that the server reads a little of it.
_PART_WRITTEN = 2**16

_deadline: ContextVar[float] = ContextVar("_deadline")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what this thread sends and receives in the block take no longer than some seconds together."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def keep_deadlines(http_client: Any) -> None:
    """Have the connections of an HTTP client keep the deadline that `within` sets.

    The client has time-outs for each single operation only, and no public way to have one for all of them: neither for
    a head that comes byte by byte, nor for 1xx answers without end.

    Parameters
    ----------
    http_client : httpx.Client
        None of its connections may be open yet.
    """
    for transport in (http_client._transport, *http_client._mounts.values()):
        if transport is not None:  # where a proxy is not to be used
            pool = transport._pool
            pool._network_backend = _PunctualBackend(pool._network_backend)


class _PunctualBackend:
    """A network backend of httpcore, or of a fork of it, whose connections keep the deadline."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._late_error = import_module(type(backend).__module__.partition(".")[0]).ReadTimeout

    def connect_tcp(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._backend.connect_tcp(*args, timeout=_left(timeout, self._late_error), **kwargs)
        return _PunctualStream(stream, self._late_error)


class _PunctualStream:
    """A connection that keeps the deadline.

    Attributes
    ----------
    read_since_written : bool
        Whether anything came after what was last sent; `bounds.read_within` looks at it.
    """

    def __init__(self, stream: Any, late_error: type[Exception]) -> None:
        self._stream = stream
        self._late_error = late_error
        self.read_since_written = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, timeout=_left(timeout, self._late_error))
        self.read_since_written = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.read_since_written = False
        for start in range(0, len(buffer), _PART_WRITTEN):
            part = buffer[start : start + _PART_WRITTEN]
            self._stream.write(part, timeout=_left(timeout, self._late_error))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(timeout, self._late_error))
        return _PunctualStream(stream, self._late_error)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, late_error: type[Exception]) -> float:
    """Shorten a time-out to what is left until the deadline."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise late_error("the time for the whole answer is over")
    return left if timeout is None else min(timeout, left)
