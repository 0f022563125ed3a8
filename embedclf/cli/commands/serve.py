"""``embedclf serve``."""

import os
from pathlib import Path

import click

from embedclf.cli.help import Command
from embedclf.cli.options import (
    EmbedderOptions,
    embedder_again_option,
    min_confidence_option,
    model_option,
    service_embedder_options,
)
from embedclf.cli.screen import echo
from embedclf.errors import DataError

TOKEN_VARIABLE = "EMBEDCLF_TOKEN"  # noqa: S105 - a variable's name, not a token


@click.command(
    "serve",
    cls=Command,
    page="serve.md",
    examples=[
        "embedclf serve",
        "embedclf serve -m models/tickets.safetensors --host 0.0.0.0 --token-file token.txt",
    ],
)
@model_option
@embedder_again_option
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    help=f"File with the token that clients must send.  [default: ${TOKEN_VARIABLE}; without it, no token is required]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="Serve requests only for this host name and localhost; may be repeated.  "
    "[default: any host name, but only localhost when listening on it without a token]",
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
    """Serve a classifier over HTTP.

    POST /predict {"text": "…"} returns its label; open the address in a browser to try texts. SIGHUP loads the model
    file again. SIGTERM and Ctrl-C shut down after in-flight requests finish. Requires embedclf[serve].
    """
    from embedclf.cli.costs import show_usage
    from embedclf.cli.models import find_model
    from embedclf.service.app import check_installed
    from embedclf.service.limits import host_name
    from embedclf.service.reloading import ModelFile
    from embedclf.service.server import is_loopback, listen, serve_on, shown_address

    check_installed()
    token = _token(token_file)
    hosts = [host_name(name) for name in allowed_hosts]
    model = find_model(model)
    settings = asked.settings()
    source = ModelFile(model, embedder=embedder, min_confidence=min_confidence, **settings)
    classifier = source.load()
    with listen(host, port) as listening:
        address, port = shown_address(listening), listening.getsockname()[1]
        if token is None and not is_loopback(listening):
            echo(
                f"Warning: {address} can be reached from other machines, and no token is required: set "
                f"{TOKEN_VARIABLE} or use --token-file, and put the service behind a reverse proxy with TLS",
                err=True,
            )
        echo(f"Serving {model} at http://{address}:{port} (API docs: http://{address}:{port}/docs)", err=True)
        try:
            serve_on(listening, classifier, token=token, allowed_hosts=hosts, source=source)
        finally:
            for used in source.embedders:
                show_usage(used)


def _token(path: str | None) -> str | None:
    """Return the token that clients must send, or None; no message contains it."""
    from embedclf.service.limits import check_token

    name, token = f"the token in {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE)
    if path is not None:
        name = f"the token in {path}"
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not valid UTF-8"
            raise DataError(f"cannot read {path}: {reason}", source=path) from error
    if token is not None:
        token = token.strip()
        check_token(token, name)
    return token
