"""A deadline for a complete response, however slowly it arrives.

The HTTP client's timeouts restart with each byte. This relies on private names of httpx and httpcore, which
tests/promises/test_private_parts.py checks.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

# Each write gets a fresh timeout whenever the server reads a little of it, so large requests are written in parts.
_PART_WRITTEN = 2**16

_deadline: ContextVar[float] = ContextVar("_deadline")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the total time that this thread may spend sending and receiving in the block."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def keep_deadlines(http_client: Any) -> None:
    """Make the connections of an HTTP client keep the deadline that `within` sets.

    The client has timeouts per operation only, and no public way to limit a whole response: headers that arrive byte by
    byte, or endless 1xx responses, would never time out.

    Parameters
    ----------
    http_client : httpx.Client
        It must not have open connections yet.
    """
    for transport in (http_client._transport, *http_client._mounts.values()):
        if transport is not None:  # None marks hosts that bypass the proxy
            pool = transport._pool
            pool._network_backend = _DeadlineBackend(pool._network_backend)


class _DeadlineBackend:
    """Wraps a network backend of httpcore, or of a fork of it, so that its connections keep the deadline."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._timeout_error = import_module(type(backend).__module__.partition(".")[0]).ReadTimeout

    def connect_tcp(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._backend.connect_tcp(*args, timeout=_left(timeout, self._timeout_error), **kwargs)
        return _DeadlineStream(stream, self._timeout_error)


class _DeadlineStream:
    """A connection that keeps the deadline.

    Attributes
    ----------
    read_since_written : bool
        Whether anything was received since the last write; `bounds.read_within` checks it.
    """

    def __init__(self, stream: Any, timeout_error: type[Exception]) -> None:
        self._stream = stream
        self._timeout_error = timeout_error
        self.read_since_written = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, timeout=_left(timeout, self._timeout_error))
        self.read_since_written = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.read_since_written = False
        for start in range(0, len(buffer), _PART_WRITTEN):
            part = buffer[start : start + _PART_WRITTEN]
            self._stream.write(part, timeout=_left(timeout, self._timeout_error))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(timeout, self._timeout_error))
        return _DeadlineStream(stream, self._timeout_error)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, timeout_error: type[Exception]) -> float:
    """Return a timeout shortened to the time left until the deadline."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise timeout_error("the deadline for the response has passed")
    return left if timeout is None else min(timeout, left)
