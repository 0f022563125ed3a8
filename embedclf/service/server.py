"""The server: uvicorn with the limits and the graceful shutdown of ``embedclf serve``."""

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedclfError
from embedclf.service.app import check_installed, create_app
from embedclf.service.limits import Limits

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from embedclf.service.reloading import CurrentModel, ModelFile

_STDERR = 2
_POLL_SECONDS = 0.02
# How long uvicorn waits for requests in flight after that.
_SHUTDOWN_SECONDS = 30


def serve(
    classifier: TextClassifier,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    token: str | None = None,
    allowed_hosts: Iterable[str] = (),
    limits: Limits | None = None,
    source: "ModelFile | None" = None,
) -> None:
    """Serve a classifier over HTTP; SIGTERM and SIGINT (Ctrl-C) shut it down after in-flight requests finish.

    SIGHUP loads the classifier again if `source` was passed. Call it in the main thread, since Python handles signals
    there only. It does not do TLS: if other machines can reach it, run it behind a reverse proxy, with a token.

    Parameters
    ----------
    classifier : TextClassifier
    host : str
        The address to listen on.
    port : int
        0 picks a free port.
    token : str, optional
        See `create_app`.
    allowed_hosts : iterable of str
        Serve only requests for these host names and localhost. If empty, any host name is served, or only localhost
        when listening on it without a token.
    limits : Limits, optional
    source : embedclf.service.reloading.ModelFile, optional
        See `create_app`.

    Raises
    ------
    EmbedclfError
        If the address is not available, a package is missing, the token cannot be sent in a header, or a host name is
        invalid.
    """
    check_installed()
    classifier.embedder.warm_up()
    with listen(host, port) as listening:
        serve_on(listening, classifier, token=token, allowed_hosts=allowed_hosts, limits=limits, source=source)


def listen(host: str, port: int, options: str = "--host or --port") -> socket.socket:
    """Return a socket that listens for connections.

    Parameters
    ----------
    host : str
    port : int
        0 picks a free port.
    options : str
        The options of the command that choose another address, for the error.

    Raises
    ------
    EmbedclfError
        If the address is unknown or in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2_048)
        # Accepted connections inherit it. Otherwise the second packet of a response is delayed by 40 ms: asyncio sets
        # it only on sockets that it knows to be TCP.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        # Python adds the address to the system's message.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise EmbedclfError(
            f"cannot listen on {host}, port {port}: {reason}; choose another with {options} (0 picks a free port)"
        ) from error


def shown_address(listening: socket.socket) -> str:
    """Return the address of a socket as written in a URL, without the port."""
    address: str = listening.getsockname()[0]
    return f"[{address}]" if ":" in address else address


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only this machine can connect."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def serve_on(
    listening: socket.socket,
    classifier: TextClassifier,
    *,
    token: str | None = None,
    allowed_hosts: Iterable[str] = (),
    limits: Limits | None = None,
    source: "ModelFile | None" = None,
) -> None:
    """Serve a classifier on a listening socket, and close it at the end; see `serve`."""
    limits = limits or Limits()
    hosts = list(allowed_hosts)
    if token is None and is_loopback(listening):
        hosts.append(shown_address(listening))  # may be a loopback address other than 127.0.0.1
    app = create_app(classifier, token=token, limits=limits, allowed_hosts=hosts or None, source=source)
    server = graceful_server(app, limits, listening)
    handlers: dict[int, Callable[..., None]] = {}
    if source is not None and hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = _reload_or_stop(server)
    run(server, listening, handlers)


def run(
    server: "uvicorn.Server", listening: socket.socket, handlers: Mapping[int, Callable[..., None]] | None = None
) -> None:
    """Run a server of `graceful_server` until SIGTERM or SIGINT, or until its ``should_exit`` is set.

    Call it in the main thread, since Python handles signals there only.

    Parameters
    ----------
    server : uvicorn.Server
    listening : socket.socket
        It is closed at the end.
    handlers : dict of int to callable, optional
        What handles other signals meanwhile.
    """

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn installs its own handlers while it serves, and raises the signals again at the end. These handlers let
    # this function return then, and also work before uvicorn is ready.
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, **(handlers or {})}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    # Everything allocated so far lives until the end. Searching it for garbage would pause the service for 50 ms each
    # time.
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listening])
    finally:
        gc.unfreeze()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _reload_or_stop(server: Any) -> Callable[..., None]:
    """Return a handler of SIGHUP, which either asks for a reload or says that the terminal has been closed."""
    ended_by_terminal = os.isatty(_STDERR) and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN

    def handle(*_: object) -> None:
        if ended_by_terminal and not os.isatty(_STDERR):
            server.should_exit = True
        else:
            server.should_reload = True

    return handle


def graceful_server(app: "FastAPI", limits: Limits, listening: socket.socket) -> "uvicorn.Server":
    """Return uvicorn's server with limits on connections, which answers what is in flight before it ends.

    Parameters
    ----------
    app : FastAPI
        Its ``state.service`` is a `ServiceState`, which is set to draining at the end; its ``state.model``, if it
        reloads, a `CurrentModel`.
    limits : Limits
    listening : socket.socket
    """
    import uvicorn

    from embedclf.service.connections import bounded_protocol

    class Server(uvicorn.Server):
        """uvicorn's server, with a shutdown that answers the requests on all open connections first, and reloads."""

        should_reload = False

        async def on_tick(self, counter: int) -> bool:
            if self.should_reload:
                self.should_reload = False
                reloads.add(task := asyncio.create_task(_reload(app.state.model)))
                task.add_done_callback(reloads.discard)
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()
            listening.close()
            # Responses say "Connection: close" only once the socket is closed: otherwise a client could reconnect here
            # and never get a response.
            await asyncio.sleep(_POLL_SECONDS)
            app.state.service.draining = True
            connections: set[Any] = self.server_state.connections
            began = time.monotonic()
            while connections and not self.force_exit:
                for connection in list(connections):
                    connection.wind_up(time.monotonic() - began)
                await asyncio.sleep(_POLL_SECONDS)
            await super().shutdown(sockets)
            if self.force_exit:  # uvicorn would leave the application's own end to be cancelled, with a traceback
                await self.lifespan.shutdown()

    reloads: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references to tasks
    config = uvicorn.Config(
        app,
        http=bounded_protocol(limits),
        ws="none",  # WebSocket connections would bypass these limits
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return Server(config)


async def _reload(current: "CurrentModel") -> None:
    with suppress(Exception):  # it is in the log
        await current.reload()
