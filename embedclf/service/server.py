"""The server: uvicorn with the limits and the graceful shutdown of ``embedclf serve``."""

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedclfError
from embedclf.service.app import check_installed, create_app
from embedclf.service.limits import Limits

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_POLL_SECONDS = 0.02
# How long uvicorn then waits for requests in flight.
_SHUTDOWN_SECONDS = 30


def serve(
    classifier: TextClassifier,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    token: str | None = None,
    allowed_hosts: Iterable[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve a classifier over HTTP until SIGTERM or SIGINT (Ctrl-C), and until the requests in flight are answered.

    To be called in the main thread, since signals are handled there alone. It speaks no TLS: where others can reach it,
    run it behind a reverse proxy, with a token.

    Parameters
    ----------
    classifier : TextClassifier
    host : str
        The address to listen at.
    port : int
        0 takes a free one.
    token : str, optional
        See `create_app`.
    allowed_hosts : iterable of str
        Serve only requests for these host names or localhost. If there are none, any name is served, but only localhost
        if it listens there without a token.
    limits : Limits, optional

    Raises
    ------
    EmbedclfError
        If it cannot listen there, a package is missing, the token could not be sent, or a host is not a name.
    """
    check_installed()
    classifier.embedder.warm_up()
    with listen(host, port) as listening:
        serve_on(listening, classifier, token=token, allowed_hosts=allowed_hosts, limits=limits)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens for connections.

    Raises
    ------
    EmbedclfError
        If the address is not known, or is not free.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2_048)
        # Accepted connections inherit it. Else the second packet of a response waits for 40 ms: asyncio, which sets it
        # for its own sockets, does not know that this one speaks TCP.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        # Python adds the address to the system's message.
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise EmbedclfError(
            f"cannot listen at {host}, port {port}: {said}; choose another with --host or --port (0 takes a free one)"
        ) from error


def shown_address(listening: socket.socket) -> str:
    """Return the address of a socket as in a URL, without the port."""
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
) -> None:
    """Serve a classifier on a socket that listens, and close it at the end; see `serve`."""
    limits = limits or Limits()
    hosts = list(allowed_hosts)
    if token is None and is_loopback(listening):
        hosts.append(shown_address(listening))  # there are others than 127.0.0.1
    app = create_app(classifier, token=token, limits=limits, allowed_hosts=hosts or None)
    server = _server(app, limits, listening)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn has handlers of its own while it serves, and raises the signals again at its end: to these, which let this
    # function return. They also count before uvicorn is ready.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    # What exists now stays to the end. To search it for garbage time and again would stop everything for 50 ms each.
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listening])
    finally:
        gc.unfreeze()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _server(app: "FastAPI", limits: Limits, listening: socket.socket) -> "uvicorn.Server":
    import uvicorn

    from embedclf.service.connections import bounded_protocol

    class Server(uvicorn.Server):
        """uvicorn's server, which here answers each request of an open connection before it ends."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()
            listening.close()
            # Clients are told to connect anew only when nobody can: else one might be accepted, and never answered.
            await asyncio.sleep(_POLL_SECONDS)
            app.state.service.draining = True
            connections: set[Any] = self.server_state.connections
            began = time.monotonic()
            while connections and not self.force_exit:
                for connection in list(connections):
                    connection.wind_up(time.monotonic() - began)
                await asyncio.sleep(_POLL_SECONDS)
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=bounded_protocol(limits),
        ws="none",  # a connection that changed its protocol would escape these limits
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return Server(config)
