"""Who may use the page: the browser that first opened the address that the command printed."""

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from embedclf.labelling.page import MESSAGE_POLICY, message_page
from embedclf.service.asgi import App, Message, Receive, Scope, Send

# The server listens on 127.0.0.1 only. A port may be forwarded, so it is not compared.
_HOSTS = frozenset({"127.0.0.1", "localhost"})
_COOKIE_SECONDS = 7 * 24 * 3_600
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_AGAIN = "Or stop the command with Ctrl-C and run it again: it prints a new address, and every answer so far is kept."
_USED = (
    "This address has already been used",
    "It works once, in one browser. Continue in the browser that opened it first.",
    _AGAIN,
)
_UNKNOWN = (
    "Open the address that the command printed",
    "This page works only in the browser that first opened that address, with its token. The browser must accept "
    "cookies from 127.0.0.1.",
    _AGAIN,
)


class Access:
    """Middleware that lets one browser in: the one that sends the token first, which gets a cookie for it.

    It refuses requests for other host names (421), which a web page whose domain resolves to this machine would send
    (DNS rebinding), and those that other pages make (403).

    Parameters
    ----------
    app : ASGI application
    token : str
        Works once.
    port : int
        The port of the server. Cookies are shared by all ports of a host, so the name of the cookie contains it.
    """

    def __init__(self, app: App, *, token: str, port: int) -> None:
        self._app = app
        self._token: str | None = token
        self._cookie = f"embedclf-label-{port}"
        self._secret = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as specified by ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        await (self._own_answer(Request(scope)) or self._app)(scope, receive, with_headers)

    def _own_answer(self, request: Request) -> Response | None:
        """Return the answer to a request that does not reach the application; None if it does."""
        fault = _fault(request)
        if fault is not None:
            return JSONResponse({"detail": fault[1]}, fault[0])
        given = request.query_params.get("token") if request.url.path == "/" and request.method == "GET" else None
        if hmac.compare_digest(request.cookies.get(self._cookie, "").encode(), self._secret.encode()):
            return None if given is None else self._forward()
        if given is None:
            return _refusal(request, *_UNKNOWN)
        if self._token is None or not hmac.compare_digest(given.encode(), self._token.encode()):
            return _refusal(request, *(_USED if self._token is None else _UNKNOWN))
        self._token = None
        return self._forward()

    def _forward(self) -> Response:
        """Return a page that forwards to the address without the token.

        A redirect is not enough: after a click on a link in another page, such as a terminal in the browser, it counts
        as a request by that page, with which a strict cookie is not sent.
        """
        html = message_page("embedclf label", forward=True)
        response = HTMLResponse(html, headers={"content-security-policy": MESSAGE_POLICY})
        response.set_cookie(
            self._cookie, self._secret, max_age=_COOKIE_SECONDS, path="/", httponly=True, samesite="strict"
        )
        return response


def _fault(request: Request) -> tuple[int, str] | None:
    """Return the status and the reason if a request does not come from the page; None if it may."""
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or hosts[0].partition(":")[0].lower() not in _HOSTS:
        return 421, "this host name is not allowed: use 127.0.0.1 or localhost"
    origin = request.headers.get("origin")
    # A link in another page may lead here, and opens the page itself.
    is_foreign = request.url.path != "/" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if is_foreign or (origin is not None and origin.lower() != f"http://{hosts[0].lower()}"):
        return 403, "only the labelling page itself may request this"
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if request.method == "POST" and not is_json:
        return 415, "the body must be JSON, with the header Content-Type: application/json"
    return None


def _refusal(request: Request, title: str, *reasons: str) -> Response:
    if request.url.path == "/":
        headers = {"content-security-policy": MESSAGE_POLICY}
        return HTMLResponse(message_page(title, *reasons), 403, headers)
    return JSONResponse({"detail": title}, 403)
