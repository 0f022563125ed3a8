"""Limits on connections: how many there are, how much a client may send before it is a request, and for how long.

uvicorn has no such limits, so its protocol classes are extended here. This relies on private parts of uvicorn,
httptools and h11; `tests/test_private_parts_service.py` says which.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from embedclf.service.limits import Limits

logger = logging.getLogger(__name__)

# Of a request line with all its headers, or of the trailers of a chunked body.
HEAD_BYTES = 64_000
_TOO_LARGE = f"the head of the request has more than {HEAD_BYTES:,} bytes"
_MAX_HEADERS = 200
# Requests that a client sends ahead of the response to the one before.
_MAX_AHEAD = 32
# Responses that clients do not read, in total. Beyond it, those that were not read for this long are cut off.
_UNREAD_BYTES, _UNREAD_SECONDS = 64_000_000, 5.0
# A refused client may still be sending. If the connection closed at once, the response could be lost with it.
_LINGER_SECONDS, _MAX_LINGERING = 1.0, 32
# Files that a service opens beside the connections: those that linger, the model, the cache, requests to an API.
_OTHER_FILES = 128
# Once the service is draining, how long it waits for one more request, and for what is being sent or read.
_IDLE_SECONDS, _UNFINISHED_SECONDS = 2.0, 5.0


def bounded_protocol(limits: Limits) -> type[Any]:
    """Return uvicorn's protocol class with limits that uvicorn itself does not have.

    - A head above 64 kB or 200 headers is answered 431, whatever it says, and is not kept meanwhile.
    - Above `limits.connections`, a new connection is answered 503.
    - A connection on which nothing arrives, or whose client does not read its response, is cut off after
      `limits.seconds`, at the latest after twice that.

    The middleware limits how long a body may take, and the application how long an answer takes.

    Parameters
    ----------
    limits : Limits
        Of these, `connections` and `seconds`.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    of_parser = _OnHttptools if hasattr(AutoHTTPProtocol, "on_headers_complete") else _OnH11
    shared = _Shared(limits)
    return type("BoundedProtocol", (of_parser, AutoHTTPProtocol), {"shared": shared})


class _Shared:
    """What the connections of one service have in common."""

    def __init__(self, limits: Limits) -> None:
        self.seconds = limits.seconds
        self.max_connections = _most_connections(limits.connections)
        self.unread: dict[Any, float] = {}  # connections whose responses are not read, and since when
        self._warned = -float("inf")

    def warn_full(self, now: float) -> None:
        """Log that there are too many connections, once a minute."""
        if now - self._warned >= 60:
            self._warned = now
            logger.warning(
                "%s connections are open, as many as are allowed: more are refused", f"{self.max_connections:,}"
            )

    def cut_off_unread(self, now: float) -> None:
        """Abort the connections that have been unread for longest, until the rest is within its limit."""
        excess = sum(one.transport.get_write_buffer_size() for one in self.unread) - _UNREAD_BYTES
        for one, since in list(self.unread.items()):
            if excess <= 0 or now - since < _UNREAD_SECONDS:
                break
            excess -= one.transport.get_write_buffer_size()
            del self.unread[one]
            one.transport.abort()


# Its methods and those below are called on, and call, one of uvicorn's protocol classes, which has no types for this.
_Protocol: Any = object


class _Bounded(_Protocol):  # type: ignore[misc]
    """One connection. Goes before the protocol class of uvicorn whose methods it extends."""

    shared: ClassVar[_Shared]

    def __init__(self, config: Any, *args: Any, **others: Any) -> None:
        config.h11_max_incomplete_event_size = HEAD_BYTES  # its own limit is lower, and answered 400
        super().__init__(config, *args, **others)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unparsed = 0  # bytes that have arrived since the parser last made something of them
        self._refused = False
        self._watch = self.loop.call_later(self.shared.seconds, self._look, (None, True))
        most = self.shared.max_connections
        if len(self.connections) > most + _MAX_LINGERING:
            transport.abort()
        elif len(self.connections) > most:
            self._refuse(503, "too many connections are open: try again later")
        if len(self.connections) > most:
            self.shared.warn_full(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        self.shared.unread.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # No more at a time than a head may still have: only the parser knows what the bytes are a part of.
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
            elif self._n_ahead() > _MAX_AHEAD:
                self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is not a request in HTTP/1.1")

    def _unsupported_upgrade_warning(self) -> None:
        """Do not warn that a client asked for another protocol: it is answered in this one."""

    def pause_writing(self) -> None:
        super().pause_writing()
        now = self.loop.time()
        self.shared.unread[self] = now
        self.shared.cut_off_unread(now)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.shared.unread.pop(self, None)

    def wind_up(self, seconds: float) -> None:
        """Close the connection if it waits for its client, after the service has been draining for a while."""
        unfinished = self._unparsed or self._is_receiving() or self.transport.get_write_buffer_size()
        if self._waits() and seconds >= (_UNFINISHED_SECONDS if unfinished else _IDLE_SECONDS):
            self.transport.abort()

    def _waits(self) -> bool:
        """Whether the client has to send or to read something before anything else happens."""
        idle = self.cycle is None or self.cycle.response_complete
        return idle or self.flow.write_paused or self._is_receiving()

    def _is_receiving(self) -> bool:
        """Whether a body is still arriving, and nothing has been answered."""
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_started

    def _n_ahead(self) -> int:
        """Return how many requests wait for the response to the one before."""
        return 0

    def _look(self, last: tuple[Any, bool]) -> None:
        # A cycle is a request and its response; the next begins when its head has arrived.
        now = (self.cycle, self._waits())
        if now[1] and now == last:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.shared.seconds, self._look, now)

    def _refuse(self, status: int, detail: str) -> None:
        """Respond and close without the application, and read no more."""
        if self._refused:
            return
        self._refused = True
        if self.headers:
            self.headers.clear()  # there may be thousands
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self._n_ahead():
                self.transport.abort()  # it would be taken for the response to an earlier request
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_response(status, detail))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._watch.cancel()
        self._watch = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


class _OnHttptools(_Bounded):
    """httptools calls these methods as it parses."""

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()

    def _n_ahead(self) -> int:
        return len(self.pipeline)


class _OnH11(_Bounded):
    """h11 is asked for its state after it has parsed. A request ahead of a response is not parsed until then."""

    def handle_events(self) -> None:
        import h11

        super().handle_events()
        is_parsing = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        self._unparsed = len(self.conn.trailing_data[0]) if is_parsing else 0

    def send_400_response(self, msg: str) -> None:
        # h11 checks the size by itself where a request waited for its turn.
        if len(self.conn.trailing_data[0]) > HEAD_BYTES:
            self._refuse(431, _TOO_LARGE)
        else:
            super().send_400_response(msg)


def _most_connections(allowed: int) -> int:
    """Return how many connections may be open, with some of the process's files left for other things."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
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
