"""Connections of a service: how many there are, how much one may send before it is a request, and for how long."""

import json
import logging
from typing import Any

from embedclf.service.limits import Limits

logger = logging.getLogger(__name__)

# Of a request line with all its headers, or of the trailers of a chunked body.
HEAD_BYTES = 64_000
_TOO_LARGE = f"the head of the request has more than {HEAD_BYTES:,} bytes"
_HEADERS = 200
# Requests that a connection sends ahead of the answer to the one before.
_AHEAD = 32
# Answers that clients do not read, in all. Those that were not read for so long are cut off beyond it.
_UNREAD_BYTES, _UNREAD_SECONDS = 64_000_000, 5.0
# A refused client may still be sending. If the connection closed at once, the answer could be lost with it.
_LINGER_SECONDS, _LINGERING = 1.0, 32
# Files that a service opens beside the connections: those that linger, the model, the cache, requests to an API.
_OTHER_FILES = 128
# Once the service is draining, how long it waits for one more request, and for what is being sent or read.
_IDLE_SECONDS, _UNFINISHED_SECONDS = 2.0, 5.0


def bounded(limits: Limits) -> type[Any]:
    """Make uvicorn's protocol hold to bounds that uvicorn itself does not have.

    - A head above 64 kB or 200 headers is answered 431, whatever it says, and is not kept meanwhile.
    - Above `limits.connections`, a new connection is answered 503.
    - A connection on which nothing comes, or whose client does not read its answer, is cut off after `limits.seconds`,
      at the latest after twice that.

    How long a body may take is for the guard to say, and how long an answer takes for the application.

    Parameters
    ----------
    limits : Limits
        Of these, `connections` and `seconds`.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    most = _most_connections(limits.connections)
    unread: dict[Any, float] = {}  # whose answers are not read, and since when
    said_last = -float("inf")

    class Bounded(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def __init__(self, config: Any, *args: Any, **others: Any) -> None:
            config.h11_max_incomplete_event_size = HEAD_BYTES  # its own bound is lower, and answered 400
            super().__init__(config, *args, **others)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._unparsed = 0  # bytes that have come since something came of them
            self._refused = False
            self._watch = self.loop.call_later(limits.seconds, self._look, (None, True))
            if len(self.connections) > most + _LINGERING:
                transport.abort()
            elif len(self.connections) > most:
                self._refuse(503, "too many connections are open: try again later")
            if len(self.connections) > most:
                self._say_full()

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.cancel()
            unread.pop(self, None)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            # No more at a time than a head may still have: what it is a part of shows only when it is parsed.
            while data and not self._refused and not self.transport.is_closing():
                room = HEAD_BYTES - self._unparsed
                if room <= 0:
                    self._refuse(431, _TOO_LARGE)
                    return
                piece, data = data[:room], data[room:]
                self._unparsed += len(piece)
                super().data_received(piece)
                if len(self.headers or ()) > _HEADERS:
                    self._refuse(431, f"the request has more than {_HEADERS} headers")
                elif self._n_ahead() > _AHEAD:
                    self.transport.abort()

        # httptools calls these as it parses,

        def on_headers_complete(self) -> None:
            self._unparsed = 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._unparsed = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._unparsed = 0
            super().on_message_complete()

        # and h11 is asked after it has parsed. What comes after a whole request waits for its answer.

        def handle_events(self) -> None:
            import h11

            super().handle_events()
            at_it = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
            self._unparsed = len(self.conn.trailing_data[0]) if at_it else 0

        def send_400_response(self, msg: str) -> None:
            conn = getattr(self, "conn", None)  # h11 looks at the size by itself where a request waited for its turn
            if conn is not None and len(conn.trailing_data[0]) > HEAD_BYTES:
                self._refuse(431, _TOO_LARGE)
            else:
                self._refuse(400, "this is not a request in HTTP/1.1")

        def _unsupported_upgrade_warning(self) -> None:
            """Not warn that a client asked for another protocol: it is answered in this one."""

        def pause_writing(self) -> None:
            super().pause_writing()
            now = self.loop.time()
            unread[self] = now
            excess = sum(one.transport.get_write_buffer_size() for one in unread) - _UNREAD_BYTES
            for one, since in list(unread.items()):
                if excess <= 0 or now - since < _UNREAD_SECONDS:
                    break
                excess -= one.transport.get_write_buffer_size()
                del unread[one]
                one.transport.abort()

        def resume_writing(self) -> None:
            super().resume_writing()
            unread.pop(self, None)

        def wind_up(self, seconds: float) -> None:
            """Close the connection if only its client could go on with it; the service is draining for so long."""
            unfinished = self._unparsed or self._is_receiving() or self.transport.get_write_buffer_size()
            if self._waits() and seconds >= (_UNFINISHED_SECONDS if unfinished else _IDLE_SECONDS):
                self.transport.abort()

        def _waits(self) -> bool:
            """Whether the client has to send or to read something before anything else happens."""
            idle = self.cycle is None or self.cycle.response_complete
            return idle or self.flow.write_paused or self._is_receiving()

        def _is_receiving(self) -> bool:
            """Whether a body is still coming, and nothing has been answered."""
            return self.cycle is not None and self.cycle.more_body and not self.cycle.response_started

        def _n_ahead(self) -> int:
            """How many requests wait for the answer to the one before. With h11, they are not parsed until then."""
            return len(getattr(self, "pipeline", ()))

        def _look(self, last: tuple[Any, bool]) -> None:
            # A cycle is a request and its answer; the next begins when its head has come.
            now = (self.cycle, self._waits())
            if now[1] and now == last:
                self.transport.abort()
            else:
                self._watch = self.loop.call_later(limits.seconds, self._look, now)

        def _refuse(self, status: int, detail: str) -> None:
            """Answer and close without the application, and take in no more."""
            if self._refused:
                return
            self._refused = True
            if self.headers:
                self.headers.clear()  # thousands may have come in one piece
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete:
                if cycle.response_started or self._n_ahead():
                    self.transport.abort()  # it would be taken for the answer to an earlier request
                    return
                cycle.disconnected = True
                cycle.message_event.set()
            self.transport.write(_answer(status, detail))
            self.transport.write_eof()
            self.flow.resume_reading()
            self._watch.cancel()
            self._watch = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

        def _say_full(self) -> None:
            nonlocal said_last
            if self.loop.time() - said_last >= 60:
                said_last = self.loop.time()
                logger.warning("%s connections are open, as many as are allowed: more are refused", f"{most:,}")

    return Bounded


def _most_connections(allowed: int) -> int:
    """Leave some of the files that the process may open for other things."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return allowed
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return allowed
    return max(1, min(allowed, files - min(_OTHER_FILES, files // 2)))


def _answer(status: int, detail: str) -> bytes:
    from http import HTTPStatus

    body = json.dumps({"detail": detail}).encode()
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
