"""The server of the labelling page: on this machine only, until Ctrl-C or the page ends it."""

import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable

from embedclf.labelling.session import Session
from embedclf.service.server import graceful_server, listen, run
from embedclf.validation import check_extra

_HOST = "127.0.0.1"


def serve(
    session: Session,
    *,
    port: int = 0,
    on_ready: Callable[[str], None],
    open_browser: bool = False,
    ended: Callable[[], str] | None = None,
) -> None:
    """Serve the page of a session on loopback until SIGTERM, SIGINT (Ctrl-C), or its Finish button.

    Requests in flight are answered first. Call it in the main thread, since Python handles signals there only.

    Parameters
    ----------
    session : Session
    port : int
        0 picks a free port.
    on_ready : callable
        Called with the address once it can be opened. It contains a token, which lets in the browser that opens it
        first.
    open_browser : bool
        Whether to open it in a browser, if there is a desktop.
    ended : callable, optional
        Called when the button is pressed; returns what the page shows then, such as what was written and what to run
        next. If it raises an EmbedclfError, the page shows that and stays open.

    Raises
    ------
    EmbedclfError
        If the port is not available, or a package is missing.
    """
    check_installed()
    from embedclf.labelling.app import LIMITS, create_app

    def finish() -> str:
        said = "" if ended is None else ended()
        server.should_exit = True
        return said

    with listen(_HOST, port, "--port") as listening:
        port, token = listening.getsockname()[1], secrets.token_urlsafe(32)
        server = graceful_server(create_app(session, token=token, port=port, finish=finish), LIMITS, listening)
        address = f"http://{_HOST}:{port}/?token={token}"
        on_ready(address)
        if open_browser:
            _open(address)
        run(server, listening)


def check_installed() -> None:
    """Check that the packages of the page are installed.

    Raises
    ------
    EmbedclfError
        If one is missing.
    """
    check_extra("label", "the labelling page", "fastapi", "uvicorn")


def _open(address: str) -> None:
    """Open an address in a graphical browser: one in text mode would take over the terminal."""
    has_windows = sys.platform in ("darwin", "win32")
    if has_windows or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
