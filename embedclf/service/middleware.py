"""Middleware: what each request passes through before a route answers it, from the outside in."""

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

PATHS = frozenset({"/predict", "/health", "/ready", "/model", "/metrics", "/docs", "/openapi.json"})
_WITH_TOKEN = frozenset({"/predict", "/model", "/metrics"})
# As in nginx, for the log and the metrics only: the client has gone and sees no response.
CLIENT_GONE = 499
N_TEXTS = "embedclf.n_texts"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d*)?")


@dataclass(slots=True)
class ServiceState:
    """What changes while a service runs.

    Attributes
    ----------
    in_flight : int
        Requests to ``/predict`` that are being received, waiting, or processed.
    draining : bool
        Whether the service is shutting down: it refuses texts, and each response is the last of its connection.
    """

    in_flight: int = 0
    draining: bool = False


class RequestLogging:
    """Log and count each request, and answer 500 where the application fails.

    It also answers HEAD as GET without a body, and closes connections while the service drains.

    Parameters
    ----------
    app : ASGI application
    state : ServiceState
    record : callable
        Called with the path, the status and the seconds of each request.
    """

    def __init__(self, app: App, *, state: ServiceState, record: Callable[[str, int, float], None]) -> None:
        self._app = app
        self._state = state
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, as ASGI specifies."""
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
        except Exception as error:  # noqa: BLE001 - a server would log its message, which may hold a text
            logger.error("no answer to %s %s: %s", scope["method"], _shown_path(scope), error_kind(error))
            if status != CLIENT_GONE:  # the response has begun: the server has to break it off
                raise RuntimeError("the answer could not be completed") from None
            await send_error(watched, 500, "the service failed; its log says where")
        finally:
            seconds = time.perf_counter() - began
            self._record(path if path in PATHS else "other", status, seconds)
            _log(scope, status, seconds)


class AccessControl:
    """Refuse requests for a foreign host (421, 400) or without the token (401), before a body is read.

    Parameters
    ----------
    app : ASGI application
    token : str or None
    hosts : set of str or None
        What the ``Host`` header may name, without a port; None for anything.
    """

    def __init__(self, app: App, *, token: str | None, hosts: Set[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, as ASGI specifies."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (fault := self._host_fault(scope)) is not None:
            await send_error(send, *fault)
        elif route_path(scope) in _WITH_TOKEN and not self._has_token(scope):
            detail = "a token is needed: Authorization: Bearer …"
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
        """Return the status and the reason with which a request is refused for the host that it names."""
        if self._hosts is None:
            return None
        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if not named:
            # Every browser names the host. What does not, such as a simple health check, speaks HTTP/1.0.
            return None if scope.get("http_version") == "1.0" else (400, "the request has no Host header")
        if len(named) > 1:
            return 400, "the request has more than one Host header"
        found = _HOST.fullmatch(named[0])
        if found is None or found[1] not in self._hosts:
            return 421, (
                "this host name is not served: ask for localhost or 127.0.0.1, or allow the name with --allowed-host "
                "(in Python, allowed_hosts)"
            )
        return None


class LoadLimits:
    """Limit requests to ``/predict``: how many are in flight (503), how large (413) and how slow (408) a body is.

    While the service drains, it refuses all of them (503).

    Parameters
    ----------
    app : ASGI application
    state : ServiceState
    limits : Limits
    """

    def __init__(self, app: App, *, state: ServiceState, limits: Limits) -> None:
        self._app = app
        self._state = state
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, as ASGI specifies."""
        if scope["type"] != "http" or route_path(scope) != "/predict" or scope["method"] != "POST":
            await self._app(scope, receive, send)
        elif self._state.draining:
            # The connection closes with the response, which a client that is still sending would not get to read.
            if await self._body(scope, receive, send) is not None:
                await send_error(send, 503, "the service is about to end", {"retry-after": "5"})
        elif self._state.in_flight >= self._limits.requests:
            detail = f"{self._limits.requests:,} requests are in hand, and no more are taken on: try again"
            await send_error(send, 503, detail, {"retry-after": "1"})
        else:
            self._state.in_flight += 1
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
        """Receive the body; return None if the request was refused, or its client has gone."""
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
            await send_error(send, 413, f"the request has more than {most:,} bytes: send fewer texts at once")
            return None
        return bytes(body)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Write a line that holds no text, no header, and no query of the address."""
    client = scope.get("client") or ("-",)
    n_texts = scope.get(N_TEXTS)
    texts = "" if n_texts is None else f" {n_texts:,} text{'' if n_texts == 1 else 's'},"
    logger.info(
        "%s %s %s %s,%s %.1f ms", client[0], scope["method"], _shown_path(scope), status, texts, 1_000 * seconds
    )


def _shown_path(scope: Scope) -> str:
    path = scope.get("raw_path", b"").split(b"?")[0].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in path)[:100]
