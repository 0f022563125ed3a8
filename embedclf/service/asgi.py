"""ASGI types and helpers for the middleware."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def route_path(scope: Scope) -> str:
    """Return the path relative to this application, computed as in Starlette so that no request bypasses the token.

    If the application is mounted, the path usually starts with the mount point, but some servers leave it out.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if rest == "" or rest.startswith("/") else path


def error_body(detail: str) -> bytes:
    """Return the JSON body of an error."""
    return json.dumps({"detail": detail}, ensure_ascii=False).encode()


async def send_error(send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Send a complete error response."""
    body = error_body(detail)
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
