"""Limits on connections: their number, the size of request heads, and how long clients may stall.

uvicorn has no such limits, so its protocol classes are extended here. This relies on private parts of uvicorn,
httptools and h11, which `tests/promises/test_private_parts_service.py` lists.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from embedclf.service.limits import Limits

logger = logging.getLogger(__name__)

# Limit for the request line with all headers, and for the trailers of a chunked body.
HEAD_BYTES = 64_000
_TOO_LARGE = f"the request line and headers exceed {HEAD_BYTES:,} bytes"
_MAX_HEADERS = 200
# Pipelined requests: those sent before the previous response has arrived.
_MAX_PIPELINED = 32
# Limit on all unread responses together. Above it, connections that have been unread for this long are closed.
_UNREAD_BYTES, _UNREAD_SECONDS = 64_000_000, 5.0
# A refused client may still be sending. If the connection closed at once, the response could be lost.
_LINGER_SECONDS, _MAX_LINGERING = 1.0, 32
# File descriptors other than accepted connections: lingering connections, the model, the cache, requests to an API.
_OTHER_FILES = 128
# While the service drains: how long it waits for another request, and for data that is being sent or read.
_IDLE_SECONDS, _UNFINISHED_SECONDS = 2.0, 5.0


def bounded_protocol(limits: Limits) -> type[Any]:
    """Return uvicorn's protocol class, extended by limits that uvicorn does not have.

    - A request head above 64 kB or 200 headers gets a 431 response, without being buffered in full.
    - Above `limits.connections`, new connections get a 503 response.
    - A connection that stays idle, or whose client does not read its response, is closed after one to two times
      `limits.seconds`.

    The middleware limits how long a body may take to arrive.

    Parameters
    ----------
    limits : Limits
        Only `connections` and `seconds` are used.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    of_parser = _OnHttptools if hasattr(AutoHTTPProtocol, "on_headers_complete") else _OnH11
    shared = _Shared(limits)
    return type("BoundedProtocol", (of_parser, AutoHTTPProtocol), {"shared": shared})


class _Shared:
    """State shared by all connections of one service."""

    def __init__(self, limits: Limits) -> None:
        self.seconds = limits.seconds
        self.max_connections = _most_connections(limits.connections)
        self.unread: dict[Any, float] = {}  # connections with unread responses, and since when
        self._warned = -float("inf")

    def warn_full(self, now: float) -> None:
        """Log that there are too many connections, at most once a minute."""
        if now - self._warned >= 60:
            self._warned = now
            logger.warning("connection limit reached (%s open); refusing new connections", f"{self.max_connections:,}")

    def cut_off_unread(self, now: float) -> None:
        """Abort the connections that have been unread for longest, until the rest is within the limit."""
        excess = sum(one.transport.get_write_buffer_size() for one in self.unread) - _UNREAD_BYTES
        for one, since in list(self.unread.items()):
            if excess <= 0 or now - since < _UNREAD_SECONDS:
                break
            excess -= one.transport.get_write_buffer_size()
            del self.unread[one]
            one.transport.abort()


# The classes below are mixins for uvicorn's protocol classes, which cannot be expressed in types.
_Protocol: Any = object


class _Bounded(_Protocol):  # type: ignore[misc]
    """A connection with limits; a mixin that precedes one of uvicorn's protocol classes."""

    shared: ClassVar[_Shared]

    def __init__(self, config: Any, *args: Any, **others: Any) -> None:
        config.h11_max_incomplete_event_size = HEAD_BYTES  # the default is lower, and its response would be a 400
        super().__init__(config, *args, **others)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unparsed = 0  # bytes received since the parser last completed something
        self._refused = False
        self._watch = self.loop.call_later(self.shared.seconds, self._check_idle, (None, True))
        most = self.shared.max_connections
        if len(self.connections) > most + _MAX_LINGERING:
            transport.abort()
        elif len(self.connections) > most:
            self._refuse(503, "too many open connections; retry later")
        if len(self.connections) > most:
            self.shared.warn_full(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        self.shared.unread.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Pieces no larger than a head may still grow: only the parser knows where heads begin and end.
        while data and not self._refused and not self.transport.is_closing():
            room = HEAD_BYTES - self._unparsed
            if room <= 0:
                self._refuse(431, _TOO_LARGE)
                return
            piece, data = data[:room], data[room:]
            self._unparsed += len(piece)
            super().data_received(piece)
            if len(self.headers or ()) > _MAX_HEADERS:
                self._refuse(431, f"the request has more than {_MAX_HEADERS} headers")
            elif self._n_pipelined() > _MAX_PIPELINED:
                self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "not a valid HTTP/1.1 request")

    def _unsupported_upgrade_warning(self) -> None:
        """Do not log a warning about an Upgrade header: the request is answered over HTTP/1.1."""

    def pause_writing(self) -> None:
        super().pause_writing()
        now = self.loop.time()
        self.shared.unread[self] = now
        self.shared.cut_off_unread(now)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.shared.unread.pop(self, None)

    def wind_up(self, seconds: float) -> None:
        """Close the connection if it is waiting for its client after the service has drained for this long."""
        unfinished = self._unparsed or self._is_receiving() or self.transport.get_write_buffer_size()
        if self._awaits_client() and seconds >= (_UNFINISHED_SECONDS if unfinished else _IDLE_SECONDS):
            self.transport.abort()

    def _awaits_client(self) -> bool:
        """Return whether the connection is waiting for its client to send or read something."""
        idle = self.cycle is None or self.cycle.response_complete
        return idle or self.flow.write_paused or self._is_receiving()

    def _is_receiving(self) -> bool:
        """Return whether a body is still arriving and no response has started."""
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_started

    def _n_pipelined(self) -> int:
        """Return the number of pipelined requests."""
        return 0

    def _check_idle(self, last: tuple[Any, bool]) -> None:
        # uvicorn's cycle is one request with its response, so an unchanged cycle means that nothing has been completed.
        now = (self.cycle, self._awaits_client())
        if now[1] and now == last:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.shared.seconds, self._check_idle, now)

    def _refuse(self, status: int, detail: str) -> None:
        """Send an error response without involving the application, and close the connection."""
        if self._refused:
            return
        self._refused = True
        if self.headers:
            self.headers.clear()  # there may be thousands
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self._n_pipelined():
                self.transport.abort()  # the error would be read as the response to an earlier request
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_response(status, detail))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._watch.cancel()
        self._watch = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


class _OnHttptools(_Bounded):
    """The mixin for httptools, which calls these methods while it parses."""

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()

    def _n_pipelined(self) -> int:
        return len(self.pipeline)


class _OnH11(_Bounded):
    """The mixin for h11, whose state is read after parsing. It parses a pipelined request after the response before."""

    def handle_events(self) -> None:
        import h11

        super().handle_events()
        is_parsing = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        self._unparsed = len(self.conn.trailing_data[0]) if is_parsing else 0

    def send_400_response(self, msg: str) -> None:
        # h11 itself checks the size of pipelined requests.
        if len(self.conn.trailing_data[0]) > HEAD_BYTES:
            self._refuse(431, _TOO_LARGE)
        else:
            super().send_400_response(msg)


def _most_connections(allowed: int) -> int:
    """Return how many connections may be open, leaving some of the process's file descriptors for other uses."""
    try:
        import resource
    except ImportError:  # on Windows, which has no such limit
        return allowed
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return allowed
    return max(1, min(allowed, files - min(_OTHER_FILES, files // 2)))


def _response(status: int, detail: str) -> bytes:
    body = json.dumps({"detail": detail}).encode()
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
