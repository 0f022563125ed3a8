"""The routes of the application."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer

from embedclf.errors import ArgumentError, EmbedclfError, EmbedderError
from embedclf.service.answers import PredictRequest, error_answer
from embedclf.service.docs_page import CONTENT_SECURITY_POLICY, page
from embedclf.service.limits import Limits
from embedclf.service.metrics import Metrics
from embedclf.service.middleware import CLIENT_GONE, N_TEXTS, ServiceState
from embedclf.service.reloading import CurrentModel
from embedclf.service.schemas import PROBLEMS, Health, Model, Predictions, Problem, Reloaded, Status, predict_body

Responses = dict[int | str, dict[str, Any]]


class Access:
    """The OpenAPI description of restricted access; the middleware enforces it.

    Attributes
    ----------
    needs_token : bool
    with_token : list
        Dependencies of a route that requires the token.
    refusals : dict
        Responses to requests without access.
    """

    def __init__(self, *, needs_token: bool, needs_host: bool) -> None:
        self.needs_token = needs_token
        self.with_token: list[Any] = []
        self.refusals: Responses = {}
        if needs_token:
            self.with_token.append(Depends(HTTPBearer(auto_error=False, description="The service's token.")))
            self.refusals[401] = {"model": Problem, "description": "The token is missing or wrong."}
        if needs_host:
            self.refusals[421] = {"model": Problem, "description": "The host name in the Host header is not allowed."}


def add_predict(
    app: FastAPI | APIRouter, current: CurrentModel, limits: Limits, metrics: Metrics, access: Access
) -> None:
    """Add ``/predict``."""
    body_model = predict_body(limits)

    @app.post(
        "/predict",
        response_model=Predictions,
        responses=access.refusals | PROBLEMS,
        dependencies=access.with_token,
        summary="Classify texts",
    )
    async def predict(body: body_model, request: Request) -> Response:  # type: ignore[valid-type]
        """Classify texts. A text that cannot be classified gets an "error"; the rest are classified."""
        if (texts := getattr(body, "texts", None)) is not None:
            wanted = PredictRequest(texts, body.top_k, coverage=body.coverage)  # type: ignore[attr-defined]
        else:
            wanted = PredictRequest([body.text], body.top_k, body.explain, body.coverage)  # type: ignore[attr-defined]
        classifier, batcher, *_ = current.served
        n_classes = len(classifier.classes)
        request.scope[N_TEXTS] = len(wanted.texts)
        if wanted.coverage is not None:
            try:
                classifier.card.set_threshold(wanted.coverage)
            except ArgumentError as error:
                raise HTTPException(409, str(error)) from None
        if (n_labels := wanted.n_labels(n_classes)) > limits.answers:
            names = "top_k" if wanted.coverage is None else "coverage"
            fewer = "fewer texts" if wanted.coverage is not None else "fewer texts or a smaller top_k"
            raise HTTPException(
                422,
                f"{names}: {n_labels:,} labels for {len(wanted.texts):,} texts exceed the limit of {limits.answers:,} "
                f"per response; send {fewer}",
            )
        answer = batcher.submit(wanted, wanted.size(n_classes))
        metrics.note_change()
        # The body has been received, so the next message means that the client has disconnected.
        gone = asyncio.ensure_future(request.receive())
        gone.add_done_callback(lambda _: answer.cancel())
        try:
            predictions = await answer
        except asyncio.CancelledError:
            if not gone.done():
                raise
            return Response(status_code=CLIENT_GONE)
        except EmbedderError as error:
            status, detail = error_answer(error)
            headers = {"Retry-After": "10"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
            raise HTTPException(status, detail, headers) from None
        finally:
            gone.cancel()
        return Response(predictions, media_type="application/json")


def add_status(app: FastAPI, state: ServiceState, current: CurrentModel, access: Access) -> None:
    """Add ``/health`` and ``/ready``."""

    @app.get(
        "/health",
        summary="Whether the process is alive",
        response_model_exclude_none=True,
    )
    async def health() -> Health:
        """Report that the process is alive and, if no token is needed, which model it serves. Requires no token."""
        version = None if access.needs_token else current.served.version
        return Health(status="alive", model=version and version.sha256)

    @app.get(
        "/ready",
        responses={503: {"model": Status, "description": "Shutting down."}},
        summary="Whether the service accepts requests",
    )
    async def ready(response: Response) -> Status:
        """Report whether the service accepts requests; while shutting down it no longer does. Requires no token."""
        if state.draining:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Status(status="draining" if state.draining else "ready")


def add_model(app: FastAPI | APIRouter, current: CurrentModel, access: Access) -> None:
    """Add ``/model``, and ``/reload`` if a token protects it and the model comes from a file."""

    @app.get(
        "/model",
        responses=access.refusals,
        dependencies=access.with_token,
        response_model_exclude_unset=True,
        summary="Describe the classifier",
    )
    async def model() -> Model:
        """Return the classes, embedder, settings and measured quality of the classifier, and the file in use."""
        return Model.model_validate(current.served.about())

    if not (access.needs_token and current.can_reload):
        return

    @app.post(
        "/reload",
        responses=access.refusals | {409: {"model": Problem, "description": "The file cannot be used."}},
        dependencies=access.with_token,
        summary="Load the model file again",
    )
    async def reload() -> Reloaded:
        """Load the model file again, and use it from the next request on.

        If the file cannot be used, the model in use stays. Requests in progress finish with the model that they began
        with.
        """
        try:
            served = await current.reload()
        except EmbedclfError as error:
            raise HTTPException(409, f"the model in use stays: {error}") from None
        return Reloaded.model_validate({"file": served.file()})


def add_metrics(app: FastAPI | APIRouter, counts: Metrics, access: Access) -> None:
    """Add ``/metrics``."""

    @app.get(
        "/metrics",
        response_class=Response,
        responses=access.refusals | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        dependencies=access.with_token,
        summary="Metrics for Prometheus",
    )
    async def metrics() -> Response:
        """Return requests, latency, texts, batch sizes, queue length, tokens and dollars in Prometheus' text format."""
        return Response(counts.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def add_docs(app: FastAPI, access: Access) -> None:
    """Add the page, at ``/`` and ``/docs``."""

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        shown = page(app.openapi(), root, needs_token=access.needs_token)
        return HTMLResponse(shown, headers={"content-security-policy": CONTENT_SECURITY_POLICY})
