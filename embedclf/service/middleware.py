"""ASGI middleware, in the order in which requests pass through it."""

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Callable, Set
from dataclasses import dataclass

from embedclf.service.asgi import App, Message, Receive, Scope, Send, route_path, send_error
from embedclf.service.limits import Limits
from embedclf.service.redaction import error_kind

logger = logging.getLogger(__name__)

PATHS = frozenset({"/", "/predict", "/health", "/ready", "/model", "/reload", "/metrics", "/docs", "/openapi.json"})
_WITH_TOKEN = frozenset({"/predict", "/model", "/reload", "/metrics"})
# nginx's status for a client that disconnected; only for the log and the metrics, since no response is sent.
CLIENT_GONE = 499
N_TEXTS = "embedclf.n_texts"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d*)?")


@dataclass(slots=True)
class ServiceState:
    """The mutable state of a running service.

    Attributes
    ----------
    in_flight : int
        Requests to ``/predict`` that are being received, waiting or being processed.
    draining : bool
        Whether the service is shutting down: it rejects texts, and closes each connection after its response.
    """

    in_flight: int = 0
    draining: bool = False


class RequestLogging:
    """Middleware that logs and counts requests, and responds with 500 if the application fails.

    It also answers HEAD like GET, without a body, and closes connections while the service drains.

    Parameters
    ----------
    app : ASGI application
    state : ServiceState
    record : callable
        Called with the path, the status and the seconds of each request.
    level : int
        Of the log of requests; failures are logged as errors.
    """

    def __init__(
        self,
        app: App,
        *,
        state: ServiceState,
        record: Callable[[str, int, float], None],
        level: int = logging.INFO,
    ) -> None:
        self._app = app
        self._level = level
        self._state = state
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as specified by ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, path = time.perf_counter(), CLIENT_GONE, route_path(scope)
        head_only = scope["method"] == "HEAD"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._state.draining:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            elif head_only:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app({**scope, "method": "GET"} if head_only else scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the server would log its message, which may quote a text
            logger.error("%s %s failed: %s", scope["method"], _shown_path(scope), error_kind(error))
            if status != CLIENT_GONE:  # the response has started, so the server has to abort the connection
                raise RuntimeError("the response could not be completed") from None
            await send_error(watched, 500, "internal error; see the service's log")
        finally:
            seconds = time.perf_counter() - began
            self._record(path if path in PATHS else "other", status, seconds)
            _log(scope, status, seconds, self._level)


class AccessControl:
    """Middleware that rejects requests for other hosts (421, 400) or without the token (401), before reading a body.

    Parameters
    ----------
    app : ASGI application
    token : str or None
    hosts : set of str or None
        Allowed host names in the ``Host`` header, without a port; None allows any.
    """

    def __init__(self, app: App, *, token: str | None, hosts: Set[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as specified by ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (fault := self._host_fault(scope)) is not None:
            await send_error(send, *fault)
        elif route_path(scope) in _WITH_TOKEN and not self._has_token(scope):
            detail = "missing or wrong token; send it as Authorization: Bearer …"
            await send_error(send, 401, detail, {"www-authenticate": 'Bearer realm="embedclf"'})
        else:
            await self._app(scope, receive, send)

    def _has_token(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return bool(scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token))

    def _host_fault(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and detail if a request has to be rejected because of its ``Host`` header."""
        if self._hosts is None:
            return None
        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if not named:
            # Browsers always send it. HTTP/1.0 clients such as simple health checks may not.
            return None if scope.get("http_version") == "1.0" else (400, "the request has no Host header")
        if len(named) > 1:
            return 400, "the request has more than one Host header"
        found = _HOST.fullmatch(named[0])
        if found is None or found[1] not in self._hosts:
            return 421, (
                "this host name is not allowed: use localhost or 127.0.0.1, or allow it with --allowed-host "
                "(in Python: allowed_hosts)"
            )
        return None


class LoadLimits:
    """Middleware that limits how many requests to ``/predict`` are in flight, and the size and arrival time of bodies.

    Beyond these limits it responds with 503, 413 and 408. While the service drains, it rejects all of them (503).

    Parameters
    ----------
    app : ASGI application
    state : ServiceState
    limits : Limits
    note_change : callable
        Called when a request has begun.
    path : str or None
        The path that it limits; None limits all that reaches it.
    advice : str
        What to do about a body that is too large.
    """

    def __init__(
        self,
        app: App,
        *,
        state: ServiceState,
        limits: Limits,
        note_change: Callable[[], None],
        path: str | None = "/predict",
        advice: str = "send fewer texts per request",
    ) -> None:
        self._app = app
        self._state = state
        self._limits = limits
        self._note_change = note_change
        self._path = path
        self._advice = advice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as specified by ASGI."""
        if scope["type"] != "http" or scope["method"] != "POST" or self._path not in (None, route_path(scope)):
            await self._app(scope, receive, send)
        elif self._state.draining:
            # Read first: the response closes the connection, and a client that is still sending might not read it.
            if await self._body(scope, receive, send) is not None:
                await send_error(send, 503, "the service is shutting down", {"retry-after": "5"})
        elif self._state.in_flight >= self._limits.requests:
            detail = f"too many requests ({self._limits.requests:,} in flight); retry later"
            await send_error(send, 503, detail, {"retry-after": "1"})
        else:
            self._state.in_flight += 1
            self._note_change()
            try:
                await self._receive_and_pass_on(scope, receive, send)
            finally:
                self._state.in_flight -= 1

    async def _receive_and_pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive, send)
        if body is None:
            return
        whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return await receive() if message is None else message

        await self._app(scope, replay, send)

    async def _body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """Return the body; None if the request was rejected or the client has disconnected."""
        most = self._limits.body_bytes
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = announced.isdigit() and int(announced[:20]) > most
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.seconds):
                more = not too_large
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    too_large = len(body) > most
                    more = message.get("more_body", False) and not too_large
        except TimeoutError:
            await send_error(send, 408, f"the request did not arrive within {self._limits.seconds:g} s")
            return None
        if too_large:
            await send_error(send, 413, f"the body exceeds {most:,} bytes; {self._advice}")
            return None
        return bytes(body)


def _log(scope: Scope, status: int, seconds: float, level: int) -> None:
    """Log a request without texts, headers or the query string."""
    client = scope.get("client") or ("-",)
    n_texts = scope.get(N_TEXTS)
    texts = "" if n_texts is None else f" {n_texts:,} text{'' if n_texts == 1 else 's'},"
    took = 1_000 * seconds
    logger.log(level, "%s %s %s %s,%s %.1f ms", client[0], scope["method"], _shown_path(scope), status, texts, took)


def _shown_path(scope: Scope) -> str:
    path = scope.get("raw_path", b"").split(b"?")[0].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in path)[:100]
