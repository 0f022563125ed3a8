"""What the middleware needs of ASGI."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def route_path(scope: Scope) -> str:
    """Return the path within this application, exactly as Starlette's routes read it: else one could evade the token.

    Within another application, the path begins with where this one is mounted; some servers leave that out.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if rest == "" or rest.startswith("/") else path


def error_body(detail: str) -> bytes:
    """Return the JSON of an error."""
    return json.dumps({"detail": detail}, ensure_ascii=False).encode()


async def send_error(send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Send an error as the whole response."""
    body = error_body(detail)
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
