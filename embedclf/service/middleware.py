"""The door of a service: who comes in, with how much, and how many at once."""

import asyncio
import hmac
import json
import logging
import re
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Set
from pathlib import Path
from typing import Any

from embedclf.service.limits import Limits

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
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d*)?")


class Gate:
    """What the door knows; shared with the routes.

    Attributes
    ----------
    in_hand : int
        Requests to ``/predict`` that are being received, waiting, or worked on.
    draining : bool
        Whether no more are let in, and each answer is the last of its connection.
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
    hosts : set of str or None
        What may stand in the ``Host`` header, without a port; None for anything.
    limits : Limits
    note : callable
        Is given the path, the status and the seconds of each request.
    """

    def __init__(
        self,
        app: App,
        *,
        gate: Gate,
        token: str | None,
        hosts: Set[str] | None,
        limits: Limits,
        note: Callable[[str, int, float], None],
    ) -> None:
        self._app = app
        self._gate = gate
        self._token = None if token is None else token.encode()
        self._hosts = hosts
        self._limits = limits
        self._note = note

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer, as ASGI asks for."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), CLIENT_GONE
        head_only = scope["method"] == "HEAD"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._gate.draining:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            elif head_only:
                message = {**message, "body": b""}
            await send(message)

        path = _route(scope)
        try:
            # HEAD gets what GET does, without the body.
            await self._answer(path, {**scope, "method": "GET"} if head_only else scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - a server would log its message, which may hold a text
            logger.error("no answer to %s %s: %s", scope["method"], _shown(scope), kind(error))
            if status != CLIENT_GONE:  # the answer has begun: the server has to break it off
                raise RuntimeError("the answer could not be completed") from None
            await refuse(watched, 500, "the service failed; its log says where")
        finally:
            seconds = time.perf_counter() - began
            self._note(path if path in PATHS else "other", status, seconds)
            _log(scope, status, seconds)

    async def _answer(self, path: str, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if (fault := self._host_fault(scope)) is not None:
            await refuse(send, *fault)
        elif path in _WITH_TOKEN and not self._may_enter(scope):
            said = "a token is needed: Authorization: Bearer …"
            await refuse(send, 401, said, {"www-authenticate": 'Bearer realm="embedclf"'})
        elif path != "/predict" or scope["method"] != "POST":
            await self._app(scope, receive, send)
        elif self._gate.draining:
            # The connection closes with the answer, which a client that is still sending would not get to read.
            if await self._body(scope, receive, send) is not None:
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

    def _host_fault(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        """Return the status and the reason with which a request is refused for the host that it names."""
        if self._hosts is None:
            return None
        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if not named:
            # Every browser names the host. What does not, such as a simple check of health, speaks HTTP/1.0.
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

    async def _pass_on(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive, send)
        if body is None:
            return
        whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return await receive() if message is None else message

        await self._app(scope, replay, send)

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> bytes | None:
        """Receive the body; None if the request was refused, or its client has gone."""
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
            await refuse(send, 408, f"the request did not arrive within {self._limits.seconds:g} s")
            return None
        if too_large:
            await refuse(send, 413, f"the request has more than {most:,} bytes: send fewer texts at once")
            return None
        return bytes(body)


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
    client = scope.get("client") or ("-",)
    n_texts = scope.get(N_TEXTS)
    texts = "" if n_texts is None else f" {n_texts:,} text{'' if n_texts == 1 else 's'},"
    logger.info("%s %s %s %s,%s %.1f ms", client[0], scope["method"], _shown(scope), status, texts, 1_000 * seconds)


def _shown(scope: MutableMapping[str, Any]) -> str:
    path = scope.get("raw_path", b"").split(b"?")[0].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in path)[:100]


def kind(error: BaseException) -> str:
    """Return an error's type and where it was raised, but not its message, which may hold a text."""
    names = [type(error).__name__]
    while error.__cause__ is not None and len(names) < 5:
        error = error.__cause__
        names.append(type(error).__name__)
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    where = f" at {Path(frames[0].filename).name}:{frames[0].lineno}" if frames else ""
    return f"{' from '.join(names)}{where}"
