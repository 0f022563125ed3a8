"""The bounds of an answer: in bytes, however small it was packed, and in time, however slowly it comes.

The HTTP client has neither: it unpacks a megabyte of gzip into a gigabyte, and its time-out starts anew with each byte.
"""

import io
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from embedclf.embedding.aimlapi.answers import MOST_DIMENSIONS, AnswerError
from embedclf.embedding.aimlapi.api_key import named, told
from embedclf.formatting import counted

PACKING = "gzip"
"""The one encoding of an answer that is unpacked, and thus asked for."""

# A number has up to 24 characters, a comma, and maybe white space around it; in base64 it has 5.3.
_BYTES_A_NUMBER = 32
_BYTES_A_VECTOR = 1_024
# For what else an answer says; and all that is read of an error.
_BYTES_BESIDE = 2**20
# Unpacked at once; a piece of 64 kB can hold 64 MB.
_PART = 2**18
_PART_WRITTEN = 2**16

_deadline: ContextVar[float] = ContextVar("_deadline")


def most_bytes(n_texts: int, n_dimensions: int | None) -> int:
    """Compute how long an answer with some vectors can be.

    Parameters
    ----------
    n_texts : int
    n_dimensions : int or None
        The length of the vectors; None if it is not known.
    """
    return _BYTES_BESIDE + n_texts * (_BYTES_A_VECTOR + _BYTES_A_NUMBER * (n_dimensions or MOST_DIMENSIONS))


def read_within(response: Any, n_texts: int, n_dimensions: int | None) -> Any:
    """Read an answer that was not read yet; what is too long is cut, and its connection closed.

    Parameters
    ----------
    response : httpx.Response
    n_texts, n_dimensions
        See `most_bytes`.

    Returns
    -------
    httpx.Response
        With its content, unpacked; of an error no more than 1 MiB.

    Raises
    ------
    AnswerError
        If it is no error, and too long, or packed in another way than was asked for, or damaged; or if it came before
        the request was sent.
    """
    if not response.extensions["network_stream"].read_since_written:
        # The server sent it after the answer to an earlier request: it belongs to no texts, or to others.
        response.close()
        raise AnswerError("it came before it was asked for", unread=True)
    most = most_bytes(n_texts, n_dimensions) if response.is_success else _BYTES_BESIDE
    content = io.BytesIO()  # which gives what it holds without a copy
    fault = ""
    try:
        for part in _unpacked(response.iter_raw(), response.headers.get("content-encoding", "").strip().lower(), most):
            content.write(part)
            if content.tell() > most:
                content.truncate(most)
                raise _TooLongError
    except _TooLongError:
        fault = f"it is longer than the {most / 1e6:,.1f} MB allowed for {counted(n_texts, 'text')}"
    except zlib.error as damage:
        fault = f"it is packed with {PACKING}, and damaged ({damage})"
    except _UnknownPackingError as unknown:
        fault = f"it is packed in a way that was not asked for ({told(str(unknown))!r})"
    finally:
        response.close()
    if fault and response.is_success:
        raise AnswerError(f"{fault}{named(response.headers.get('x-request-id'))}", unread=True)
    headers = [(name, value) for name, value in response.headers.multi_items() if name != "content-encoding"]
    return type(response)(
        response.status_code,
        headers=headers,
        content=content.getvalue(),
        request=response.request,
        extensions=response.extensions,
    )


class _TooLongError(Exception):
    pass


class _UnknownPackingError(Exception):
    pass


def _unpacked(pieces: Iterable[bytes], packing: str, most: int) -> Iterator[bytes]:
    """Unpack what comes, in parts of a bounded size."""
    if packing in ("", "identity"):
        yield from pieces
        return
    if packing not in (PACKING, f"x-{PACKING}"):
        raise _UnknownPackingError(packing)
    unpack = zlib.decompressobj(wbits=31)  # with the header and checksum of gzip
    received = 0
    for piece in pieces:
        received += len(piece)
        if received > most or unpack.eof:  # it may be all header, or go on after its end
            raise _TooLongError
        while part := unpack.decompress(piece, _PART):
            yield part
            piece = unpack.unconsumed_tail


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what this thread sends and receives in the block take no longer than so many seconds together."""
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
        # What is written at once has a time-out for each time that the server reads a little of it.
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
