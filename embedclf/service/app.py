"""The ASGI application, which any ASGI server can run and any ASGI application can mount."""

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from embedclf._version import __version__
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.formatting import counted, exact_dollars
from embedclf.service.limits import LOOPBACK_HOSTS, Limits, check_token, host_name
from embedclf.validation import check_extra

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from embedclf.service.answer_window import AnswerWindow
    from embedclf.service.answers import PredictRequest
    from embedclf.service.batching import Batcher
    from embedclf.service.metrics import Metrics
    from embedclf.service.middleware import ServiceState
    from embedclf.service.reloading import CurrentModel, ModelFile

logger = logging.getLogger(__name__)

# One call keeps all cores busy with a local model; calls over a network mostly wait.
_LOCAL_CALLS, _REMOTE_CALLS = 1, 8
_MAX_BATCH_BYTES = 500_000
# WordLlama takes about 0.7 ms for 1,000 letters, and two or three times as long for as many bytes of Chinese or emoji.
# The event loop is blocked meanwhile, so this bounds the delay.
_MAX_INLINE_BYTES = 8_000


def create_app(
    classifier: TextClassifier,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    allowed_hosts: Iterable[str] | None = None,
    source: "ModelFile | None" = None,
) -> "FastAPI":
    """Return an ASGI application that serves a classifier.

    Its routes are ``/predict``, ``/health``, ``/ready``, ``/model``, ``/metrics``, ``/`` and ``/docs``,
    ``/openapi.json``, and, with a token and a source, ``/reload``.

    An application sees a request only once its headers have been read, and does not see whether a client reads the
    response. So the server has to limit the size of headers, the number of connections and the size of unread
    responses. ``embedclf serve`` and `embedclf.service.server.serve` do. Plain uvicorn does not, so run it behind a
    reverse proxy that does.

    Parameters
    ----------
    classifier : TextClassifier
    token : str, optional
        Token that clients must send to ``/predict``, ``/model``, ``/metrics`` and ``/reload`` as ``Authorization:
        Bearer …``; None requires none.
    limits : Limits, optional
    allowed_hosts : iterable of str, optional
        Serve only requests whose ``Host`` is one of these names, ``localhost``, ``127.0.0.1`` or ``[::1]``, with any
        port. This protects against web pages whose domain resolves to this machine (DNS rebinding), so set it if there
        is no token. None serves any host.
    source : embedclf.service.reloading.ModelFile, optional
        The file that the classifier was loaded from, so that a later version of it can be loaded without a restart.

    Raises
    ------
    EmbedclfError
        If the token cannot be sent in a header, a host name is invalid, or a package is missing.
    """
    if token is not None:
        check_token(token)
    hosts = None if allowed_hosts is None else LOOPBACK_HOSTS | {host_name(name) for name in allowed_hosts}
    check_installed()
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError

    from embedclf.service import routes
    from embedclf.service.invalid_requests import answer_invalid, answer_unreadable
    from embedclf.service.metrics import open_metrics
    from embedclf.service.middleware import AccessControl, LoadLimits, RequestLogging, ServiceState

    limits = limits or Limits()
    state = ServiceState()
    metrics = open_metrics()
    current = _current_model(classifier, source, state, metrics)
    app = FastAPI(
        title="embedclf",
        version=__version__,
        description="Classify texts with a trained classifier.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # a generated client has a method of this name
        exception_handlers={RequestValidationError: answer_invalid, 400: answer_unreadable},
    )
    app.state.service = state
    app.state.model = current
    # Starlette makes the one added last the outermost.
    app.add_middleware(LoadLimits, state=state, limits=limits, note_change=metrics.note_change)
    app.add_middleware(AccessControl, token=token, hosts=hosts)
    app.add_middleware(RequestLogging, state=state, record=metrics.record)
    access = routes.Access(needs_token=token is not None, needs_host=hosts is not None)
    routes.add_predict(app, current, limits, metrics, access)
    routes.add_status(app, state, current, access)
    routes.add_model(app, current, access)
    routes.add_metrics(app, metrics, access)
    routes.add_docs(app, access)
    return app


def create_router(classifier: TextClassifier, *, limits: Limits | None = None) -> "APIRouter":
    """Return ``/predict``, ``/model`` and ``/metrics`` of `create_app` as a router for your own FastAPI application.

    Include it under a prefix, with the dependencies that your other routes have, so that your application decides who
    may use it::

        app.include_router(
            embedclf.create_router(classifier), prefix="/tickets", dependencies=[Depends(signed_in)]
        )

    ``/predict`` keeps its limits, batches and error responses. FastAPI reads a body, within the limits, before it asks
    the dependencies. Host names, logs, ``/health`` and a shutdown that waits are left to the application.

    Parameters
    ----------
    classifier : TextClassifier
    limits : Limits, optional

    Raises
    ------
    EmbedclfError
        If a package is missing.
    """
    check_installed()
    from fastapi import APIRouter

    from embedclf.service import routes
    from embedclf.service.metrics import open_metrics
    from embedclf.service.middleware import ServiceState
    from embedclf.service.own_route import own_route

    limits = limits or Limits()
    state = ServiceState()
    metrics = open_metrics()
    current = _current_model(classifier, None, state, metrics)
    access = routes.Access(needs_token=False, needs_host=False)
    router = APIRouter(route_class=own_route(state, limits, metrics), tags=["embedclf"])
    routes.add_predict(router, current, limits, metrics, access)
    routes.add_model(router, current, access)
    routes.add_metrics(router, metrics, access)
    return router


def _current_model(
    classifier: TextClassifier, source: "ModelFile | None", state: "ServiceState", metrics: "Metrics"
) -> "CurrentModel":
    from embedclf.service.reloading import CurrentModel

    current = CurrentModel(_with_share(classifier, source), source, partial(_batcher, metrics=metrics))
    metrics.watch(current, in_flight=lambda: state.in_flight)
    return current


def _with_share(classifier: TextClassifier, source: "ModelFile | None") -> TextClassifier:
    """Return the classifier with this process's share of the spending limit, if several processes serve it."""
    from embedclf.service.workers import n_workers

    embedder, n = classifier.embedder, n_workers()
    if embedder.max_cost is None or n == 1:
        return classifier
    share = embedder.split(n) if source is None else source.share_limit(embedder, n)
    dollars = exact_dollars(share.max_cost or 0.0)
    logger.warning("--max-cost (max_cost): %s for each of %s", dollars, counted(n, "worker"))
    return type(classifier)(share, classifier.model, classifier.card)


def _batcher(
    classifier: TextClassifier, window: "AnswerWindow", metrics: "Metrics"
) -> "Batcher[PredictRequest, bytes]":
    from embedclf.service.answers import answer_requests
    from embedclf.service.batching import Batcher

    is_local = classifier.embedder.is_local
    return Batcher(
        partial(answer_requests, classifier, metrics=metrics, window=window),  # type: ignore[arg-type] # the batcher raises errors
        max_inline_size=_MAX_INLINE_BYTES if is_local else 0,
        max_calls=_LOCAL_CALLS if is_local else _REMOTE_CALLS,
        max_batch_size=_MAX_BATCH_BYTES,
    )


def check_installed() -> None:
    """Check that the packages of a service are installed.

    Raises
    ------
    EmbedclfError
        If one is missing.
    """
    check_extra("serve", "a service", "fastapi", "prometheus_client", "uvicorn")
