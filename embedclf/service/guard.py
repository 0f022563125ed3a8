"""The door of a service: who comes in, with how much, and how many at once."""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from embedclf.service.application import Limits

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

PATHS = frozenset({"/predict", "/health", "/ready", "/model", "/metrics", "/docs", "/openapi.json"})
_WITH_TOKEN = frozenset({"/predict", "/model", "/metrics"})
# As nginx has it, for the log and the counts only: the client has gone and sees no answer.
CLIENT_GONE = 499
N_TEXTS = "embedclf.n_texts"


class Gate:
    """What the door knows; shared with the routes.

    Attributes
    ----------
    in_hand : int
        Requests to ``/predict`` that are being received, waiting, or worked on.
    draining : bool
        Whether no more are let in.
    """

    def __init__(self) -> None:
        self.in_hand = 0
        self.draining = False


class Guard:
    """Lets in what is allowed to come in, with its body read, and tells what came of it.

    Parameters
    ----------
    app : ASGI application
    gate : Gate
    token : str or None
    limits : Limits
    note : callable
        Is given the path, the status and the seconds of each request.
    """

    def __init__(
        self, app: App, *, gate: Gate, token: str | None, limits: Limits, note: Callable[[str, int, float], None]
    ) -> None:
        self._app = app
        self._gate = gate
        self._token = None if token is None else token.encode()
        self._limits = limits
        self._note = note

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer, as ASGI asks for."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), CLIENT_GONE

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = _route(scope)
        try:
            await self._answer(path, scope, receive, watched)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - began
            self._note(path if path in PATHS else "other", status, seconds)
            _log(scope, status, seconds)

    async def _answer(self, path: str, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if path in _WITH_TOKEN and not self._may_enter(scope):
            said = "a token is needed: Authorization: Bearer …"
            await refuse(send, 401, said, {"www-authenticate": 'Bearer realm="embedclf"'})
        elif path != "/predict" or scope["method"] != "POST":
            await self._app(scope, receive, send)
        elif self._gate.draining:
            await refuse(send, 503, "the service is about to end", {"retry-after": "5"})
        elif self._gate.in_hand >= self._limits.requests:
            said = f"{self._limits.requests:,} requests are in hand, and no more are taken on: try again"
            await refuse(send, 503, said, {"retry-after": "1"})
        else:
            self._gate.in_hand += 1
            try:
                await self._pass_on(scope, receive, send)
            finally:
                self._gate.in_hand -= 1

    def _may_enter(self, scope: MutableMapping[str, Any]) -> bool:
        if self._token is None:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return bool(scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token))

    async def _pass_on(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
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
                        return
                    body += message.get("body", b"")
                    too_large = len(body) > most
                    more = message.get("more_body", False) and not too_large
        except TimeoutError:
            await refuse(send, 408, f"the request did not arrive within {self._limits.seconds:g} s")
            return
        if too_large:
            await refuse(send, 413, f"the request has more than {most:,} bytes: send fewer texts at once")
            return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return await receive() if message is None else message

        await self._app(scope, replay, send)


def _route(scope: MutableMapping[str, Any]) -> str:
    """Give the path within this application, exactly as Starlette's routes read it: else one could pass by the door.

    Under another application, the path begins with where this one is mounted; some servers leave that out.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if rest == "" or rest.startswith("/") else path


async def refuse(send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Answer with an error."""
    body = json.dumps({"detail": detail}, ensure_ascii=False).encode()
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _log(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    """Write a line that holds neither a text nor a header, and of the address no query."""
    path = scope.get("raw_path", b"").split(b"?")[0].decode("ascii", "backslashreplace")
    shown = "".join(c if c.isprintable() else "?" for c in path)[:100]
    client = scope.get("client") or ("-",)
    n_texts = scope.get(N_TEXTS)
    texts = "" if n_texts is None else f" {n_texts:,} text{'' if n_texts == 1 else 's'},"
    logger.info("%s %s %s %s,%s %.1f ms", client[0], scope["method"], shown, status, texts, 1_000 * seconds)
