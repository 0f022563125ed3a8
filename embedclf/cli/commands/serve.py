"""``embedclf serve``."""

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.options import (
    EmbedderOptions,
    embedder_again_option,
    min_confidence_option,
    model_option,
    service_embedder_options,
)
from embedclf.cli.screen import echo
from embedclf.errors import DataError, EmbedclfError

if TYPE_CHECKING:
    from types import FrameType

    from embedclf.classifier.text_classifier import TextClassifier


TOKEN_VARIABLE = "EMBEDCLF_TOKEN"  # noqa: S105 - its name


@click.command("serve")
@model_option
@embedder_again_option
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option(
    "--token-file",
    metavar="FILE",
    help=f"Holds the token that clients must send.  [default: ${TOKEN_VARIABLE}, else none is asked for]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="Serve requests for this host name, too, and for no other but localhost; may be given several times.  "
    "[default: any, but localhost alone when listening there without a token]",
)
@min_confidence_option
@service_embedder_options
def command(
    model: str | None,
    embedder: str | None,
    host: str,
    port: int,
    token_file: str | None,
    allowed_hosts: tuple[str, ...],
    min_confidence: float | None,
    asked: EmbedderOptions,
) -> None:
    """Answer over HTTP with a trained classifier.

    POST /predict {"texts": ["…"]} gives their labels; /docs shows the rest. SIGTERM and Ctrl-C end it when what is in
    hand is answered. Needs embedclf[serve].
    """
    from embedclf.classifier.loading import load
    from embedclf.cli.costs import show_usage
    from embedclf.cli.models import find_model
    from embedclf.service.app import check_installed
    from embedclf.service.limits import host_name

    check_installed()
    token = _token(token_file)
    hosts = [host_name(name) for name in allowed_hosts]
    model = find_model(model)
    classifier = load(model, embedder=embedder, **asked.settings(lambda progress: None))
    if min_confidence is not None:
        classifier = classifier.with_min_confidence(min_confidence)
    classifier.embedder.warm_up()
    with _listening(host, port) as listening:
        address, port = listening.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        if token is None and not _is_loopback(address):
            echo(
                f"Warning: {shown} can be reached from other machines, and no token is asked for: set {TOKEN_VARIABLE} "
                "or give --token-file, and let a proxy with TLS stand before it",
                err=True,
            )
        if token is None and _is_loopback(address):
            hosts.append(shown)  # there are others than 127.0.0.1
        echo(f"Serving {model} at http://{shown}:{port} (what it answers: /docs)", err=True)
        try:
            _serve(classifier, token, hosts or None, listening)
        finally:
            show_usage(classifier.embedder)


def _token(path: str | None) -> str | None:
    """Read the token that clients must send; it stands in no message."""
    from embedclf.service.limits import check_token

    name, token = f"the token in {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE)
    if path is not None:
        name = f"the token in {path}"
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise DataError(f"cannot read {path}: {said}", source=path) from error
    if token is not None:
        token = token.strip()
        check_token(token, name)
    return token


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2_048)
        # What is accepted has it, too. Else an answer's second packet waits for 40 ms: asyncio, which does this for its
        # own sockets, does not know that this one is of TCP.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        # Python adds the address to what the system says.
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise EmbedclfError(
            f"cannot listen at {host}, port {port}: {said}; choose another with --host or --port (0 takes a free one)"
        ) from error


def _is_loopback(address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _end(number: int, frame: "FrameType | None") -> None:
    raise SystemExit(0)


def _serve(
    classifier: "TextClassifier", token: str | None, allowed_hosts: list[str] | None, listening: socket.socket
) -> None:
    """Serve until a signal says to end, and what is in hand then is answered."""
    import asyncio
    import gc
    import time

    import uvicorn

    from embedclf.service.app import create_app
    from embedclf.service.limits import Limits
    from embedclf.service.server import bounded

    limits = Limits()
    app = create_app(classifier, token=token, limits=limits, allowed_hosts=allowed_hosts)
    gate = app.state.gate

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()
            listening.close()
            # Only when nobody can connect any more are clients told to: else one might be accepted, and never heard.
            await asyncio.sleep(0.02)
            gate.draining = True
            connections: set[Any] = self.server_state.connections
            began = time.monotonic()
            while connections and not self.force_exit:
                for connection in list(connections):
                    connection.wind_up(time.monotonic() - began)
                await asyncio.sleep(0.02)
            await super().shutdown(sockets)

    # uvicorn has its own handlers while it serves, and then raises again what came: to be told to end is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    config = uvicorn.Config(
        app,
        http=bounded(limits),
        ws="none",  # a connection that changed its protocol would leave these bounds
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=30,
    )
    # What is there now stays to the end. To look through it for garbage time and again would stop all for 50 ms each.
    gc.collect()
    gc.freeze()
    Server(config).run(sockets=[listening])
