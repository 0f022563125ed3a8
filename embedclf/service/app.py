"""The application: any ASGI server can run it, and another application can mount it."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from embedclf._version import __version__
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.service.limits import LOOPBACK_HOSTS, Limits, check_token, host_name
from embedclf.validation import check_extra

if TYPE_CHECKING:
    from fastapi import FastAPI

    from embedclf.service.answers import PredictRequest
    from embedclf.service.batching import Batcher
    from embedclf.service.metrics import Metrics

# A local model uses its cores best with one call at a time; calls over a network mostly wait.
_LOCAL_CALLS, _REMOTE_CALLS = 1, 8
_MAX_BATCH_BYTES = 500_000
# WordLlama takes about 0.7 ms for 1,000 letters, two or three times that for as many bytes of Chinese or emoji, and the
# event loop waits for it.
_MAX_INLINE_BYTES = 8_000


def create_app(
    classifier: TextClassifier,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    allowed_hosts: Iterable[str] | None = None,
) -> "FastAPI":
    """Return an application that answers for a classifier.

    It has ``/predict``, ``/health``, ``/ready``, ``/model``, ``/metrics``, ``/docs`` and ``/openapi.json``.

    An application sees a request once its head has been read, and a response only until it is handed over. So the
    server has to limit the size of heads, the number of connections, and responses that clients do not read.
    ``embedclf serve`` and `embedclf.service.server.serve` do; uvicorn on its own does not, and belongs behind a proxy
    that does.

    Parameters
    ----------
    classifier : TextClassifier
    token : str, optional
        What ``/predict``, ``/model`` and ``/metrics`` need as ``Authorization: Bearer …``; None needs nothing.
    limits : Limits, optional
    allowed_hosts : iterable of str, optional
        Serve only requests whose ``Host`` is one of these names, ``localhost``, ``127.0.0.1`` or ``[::1]``, with any
        port. This keeps out web pages whose own name has been made to resolve to this machine (DNS rebinding), so set
        it where there is no token. None serves any name.

    Raises
    ------
    EmbedclfError
        If the token could not be sent as one, a host is not a name, or a package is missing.
    """
    if token is not None:
        check_token(token)
    hosts = None if allowed_hosts is None else LOOPBACK_HOSTS | {host_name(name) for name in allowed_hosts}
    check_installed()
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError

    from embedclf.service import routes
    from embedclf.service.invalid_requests import answer_invalid, answer_unreadable
    from embedclf.service.metrics import Metrics
    from embedclf.service.middleware import AccessControl, LoadLimits, RequestLogging, ServiceState

    limits = limits or Limits()
    state = ServiceState()
    metrics = Metrics(classifier.embedder)
    batcher = _batcher(classifier, metrics)
    metrics.watch(waiting=lambda: batcher.n_waiting, in_flight=lambda: state.in_flight)
    app = FastAPI(
        title="embedclf",
        version=__version__,
        description="Labels texts with a trained classifier.",
        docs_url=None,
        redoc_url=None,
        exception_handlers={RequestValidationError: answer_invalid, 400: answer_unreadable},
    )
    app.state.service = state
    # The one added last is the outermost.
    app.add_middleware(LoadLimits, state=state, limits=limits)
    app.add_middleware(AccessControl, token=token, hosts=hosts)
    app.add_middleware(RequestLogging, state=state, record=metrics.record)
    access = routes.Access(needs_token=token is not None, needs_host=hosts is not None)
    routes.add_predict(app, batcher, len(classifier.classes), limits, access)
    routes.add_status(app, state)
    routes.add_model(app, classifier.to_dict(), access)
    routes.add_metrics(app, metrics, access)
    routes.add_docs(app)
    return app


def _batcher(classifier: TextClassifier, metrics: "Metrics") -> "Batcher[PredictRequest, bytes]":
    from embedclf.service.answers import answer_requests
    from embedclf.service.batching import Batcher

    is_local = classifier.embedder.is_local
    return Batcher(
        partial(answer_requests, classifier, metrics=metrics),  # type: ignore[arg-type] # the batcher raises errors
        max_inline_size=_MAX_INLINE_BYTES if is_local else 0,
        max_calls=_LOCAL_CALLS if is_local else _REMOTE_CALLS,
        max_batch_size=_MAX_BATCH_BYTES,
    )


def check_installed() -> None:
    """Check that the packages of a service are installed.

    Raises
    ------
    EmbedclfError
    """
    check_extra("serve", "a service", "fastapi", "prometheus_client", "uvicorn")
