"""The routes of the application."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer

from embedclf.errors import EmbedderError
from embedclf.service.answers import PredictRequest, error_answer
from embedclf.service.batching import Batcher
from embedclf.service.docs_page import page
from embedclf.service.limits import Limits
from embedclf.service.metrics import Metrics
from embedclf.service.middleware import CLIENT_GONE, N_TEXTS, ServiceState
from embedclf.service.schemas import PROBLEMS, Predictions, Problem, Status, predict_body

Responses = dict[int | str, dict[str, Any]]


class Access:
    """What the description says of routes with limited access. The middleware has checked it before.

    Attributes
    ----------
    with_token : list
        Dependencies of a route that needs the token.
    refusals : dict
        The responses to those who have no access.
    """

    def __init__(self, *, needs_token: bool, needs_host: bool) -> None:
        self.with_token: list[Any] = []
        self.refusals: Responses = {}
        if needs_token:
            self.with_token.append(Depends(HTTPBearer(auto_error=False, description="The service's token.")))
            self.refusals[401] = {"model": Problem, "description": "The token is missing or wrong."}
        if needs_host:
            self.refusals[421] = {"model": Problem, "description": "The name in the Host header is not served."}


def add_predict(
    app: FastAPI, batcher: Batcher[PredictRequest, bytes], n_classes: int, limits: Limits, access: Access
) -> None:
    """Add ``/predict``."""
    body_model = predict_body(limits)

    @app.post(
        "/predict",
        response_model=Predictions,
        responses=access.refusals | PROBLEMS,
        dependencies=access.with_token,
        summary="Label texts",
    )
    async def predict(asked: body_model, request: Request) -> Response:  # type: ignore[valid-type]
        """Label texts. One that cannot be labelled has an error, and the others their labels."""
        wanted = PredictRequest(asked.texts, asked.top_k)  # type: ignore[attr-defined]
        request.scope[N_TEXTS] = len(wanted.texts)
        if (n_labels := wanted.n_labels(n_classes)) > limits.answers:
            said = (
                f"{n_labels:,} labels for {len(wanted.texts):,} texts, and {limits.answers:,} are allowed in one answer"
            )
            raise HTTPException(422, f"top_k: {said}: send fewer texts, or a smaller top_k")
        answer = batcher.submit(wanted, wanted.size(n_classes))
        # The body has been received, so the next message is that the client goes; its request is then not processed.
        gone = asyncio.ensure_future(request.receive())
        gone.add_done_callback(lambda _: answer.cancel())
        try:
            body = await answer
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
        return Response(body, media_type="application/json")


def add_status(app: FastAPI, state: ServiceState) -> None:
    """Add ``/health`` and ``/ready``."""

    @app.get("/health", summary="Whether the process is alive")
    async def health() -> Status:
        """Tell that the process is alive. Needs no token."""
        return Status(status="alive")

    @app.get(
        "/ready",
        responses={503: {"model": Status, "description": "It is about to end."}},
        summary="Whether it takes requests",
    )
    async def ready(response: Response) -> Status:
        """Tell whether requests are taken: not any more once the service is about to end. Needs no token."""
        if state.draining:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Status(status="draining" if state.draining else "ready")


def add_model(app: FastAPI, about: dict[str, Any], access: Access) -> None:
    """Add ``/model``."""

    @app.get(
        "/model",
        responses=access.refusals,
        dependencies=access.with_token,
        summary="What is known of the classifier",
    )
    async def model() -> dict[str, Any]:
        """Give the classes, the embedder, the settings and the measured quality of the classifier."""
        return about


def add_metrics(app: FastAPI, counts: Metrics, access: Access) -> None:
    """Add ``/metrics``."""

    @app.get(
        "/metrics",
        response_class=Response,
        responses=access.refusals | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        dependencies=access.with_token,
        summary="Counts for Prometheus",
    )
    async def metrics() -> Response:
        """Give requests, latency, texts, batch sizes, queue, tokens and dollars in Prometheus' text format."""
        return Response(counts.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def add_docs(app: FastAPI) -> None:
    """Add ``/docs``."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(page(app.openapi(), request.scope.get("root_path", "")), headers=headers)
