"""The application: what any ASGI server can run, and another application mount."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.service.limits import _LOOPBACK_HOSTS, Limits, check_token, host_name
from embedclf.validation import check_extra

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app(
    classifier: TextClassifier,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    allowed_hosts: Iterable[str] | None = None,
) -> "FastAPI":
    """Make an application that answers for a classifier.

    It has ``/predict``, ``/health``, ``/ready``, ``/model``, ``/metrics``, ``/docs`` and ``/openapi.json``.

    An application sees a request once its head has been read, and an answer only until it is handed over. The size of
    heads, the number of connections, and clients that do not read their answers are therefore the server's to bound.
    ``embedclf serve`` does; uvicorn on its own does not, and belongs behind a proxy that does.

    Parameters
    ----------
    classifier : TextClassifier
    token : str, optional
        What ``/predict``, ``/model`` and ``/metrics`` want as ``Authorization: Bearer …``; None wants nothing.
    limits : Limits, optional
    allowed_hosts : iterable of str, optional
        Serve only requests whose ``Host`` is one of these names, ``localhost``, ``127.0.0.1`` or ``[::1]``, with any
        port. It keeps out web pages whose own name has been made to lead to this machine (DNS rebinding), so it is
        worth giving where there is no token. None serves any name.

    Raises
    ------
    EmbedclfError
        If the token could not be sent as one, a host is not a name, or a package is missing.
    """
    if token is not None:
        check_token(token)
    hosts = None if allowed_hosts is None else _LOOPBACK_HOSTS | {host_name(name) for name in allowed_hosts}
    check_installed()
    from embedclf.service.routes import make

    return make(classifier, token, limits or Limits(), hosts)


def check_installed() -> None:
    """See that what a service needs is installed.

    Raises
    ------
    EmbedclfError
    """
    check_extra("serve", "a service", "fastapi", "prometheus_client", "uvicorn")
