"""What a service answers."""

import asyncio
import logging
from collections.abc import Sequence, Set
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from embedclf._version import __version__
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.errors import EmbedderError
from embedclf.service.answers import _UNAVAILABLE, _answers, _Asked, _told
from embedclf.service.batching import Gathering
from embedclf.service.docs_page import page
from embedclf.service.limits import Limits
from embedclf.service.metrics import Counters
from embedclf.service.middleware import CLIENT_GONE, N_TEXTS, Gate, Guard
from embedclf.service.schemas import _PROBLEMS, Predictions, Problem, Status, _whole

logger = logging.getLogger(__name__)

# What runs in this process uses its cores best one call after another; what is asked over a network waits for it.
_CALLS, _CALLS_SENT = 1, 8
_BYTES_A_CALL = 500_000
# WordLlama takes about 0.7 ms for 1,000 letters, two or three times that for as many bytes of Chinese or emoji,
# and the event loop waits for it.
_BYTES_HERE = 8_000
# Of a body; the first few that are not known are named.
_MOST_FIELDS = 16


def make(classifier: TextClassifier, token: str | None, limits: Limits, hosts: Set[str] | None) -> FastAPI:
    """Make the application; see `create_app`."""
    gate = Gate()
    n_classes = len(classifier.classes)

    def work(requests: Sequence[_Asked]) -> list[bytes | EmbedderError]:
        return _answers(classifier, requests, counters)

    here = classifier.embedder.is_local
    gathering: Gathering[_Asked, bytes] = Gathering(
        work,  # type: ignore[arg-type]
        most_here=_BYTES_HERE if here else 0,
        most_calls=_CALLS if here else _CALLS_SENT,
        most_size=_BYTES_A_CALL,
    )
    counters = Counters(classifier.embedder, lambda: gathering.n_waiting, lambda: gate.in_hand)

    app = FastAPI(
        title="embedclf",
        version=__version__,
        description="Labels texts with a trained classifier.",
        docs_url=None,
        redoc_url=None,
        exception_handlers={RequestValidationError: _invalid, 400: _unreadable},
    )
    app.state.gate = gate
    app.add_middleware(Guard, gate=gate, token=token, hosts=hosts, limits=limits, note=counters.note)
    # The guard has looked at the token before the body was read; here it is for the description only.
    asks_token = [] if token is None else [Depends(HTTPBearer(auto_error=False, description="The service's token."))]
    barred: dict[int | str, dict[str, Any]] = (
        {} if token is None else {401: {"model": Problem, "description": "The token is missing or wrong."}}
    )
    if hosts is not None:
        barred[421] = {"model": Problem, "description": "The name in the Host header is not served."}

    def check_text(text: object) -> str:
        if not isinstance(text, str):
            raise ValueError("a text is a string")  # pydantic takes no TypeError for a fault of the input
        if len(text) > limits.characters:
            raise ValueError(f"the text has {len(text):,} characters, and {limits.characters:,} are allowed")
        return text

    class Asked(BaseModel):
        """Texts to label."""

        model_config = ConfigDict(extra="forbid", strict=True)

        @model_validator(mode="before")
        @classmethod
        def check_fields(cls, asked: object) -> object:
            # pydantic makes an error of each field that it does not know, which takes a second for as many as fit in.
            if isinstance(asked, dict) and len(asked) > _MOST_FIELDS:
                known = " and ".join(cls.model_fields)
                raise ValueError(f"the body has {len(asked):,} fields, where there are only {known}")
            return asked

        # pydantic's own str refuses half a character and with it the whole request; here, that is one text's error.
        texts: Annotated[
            list[
                Annotated[
                    str,
                    PlainValidator(check_text),
                    WithJsonSchema({"type": "string", "maxLength": limits.characters}),
                ]
            ],
            Field(min_length=1, max_length=limits.texts, examples=[["I was charged twice this month"]]),
        ]
        # 2.0 is a whole number in JSON.
        top_k: Annotated[int, Field(ge=1), BeforeValidator(_whole)] | None = Field(
            default=None, description="also give so many of the likeliest labels"
        )

    @app.post(
        "/predict",
        response_model=Predictions,
        responses=barred | _PROBLEMS,
        dependencies=asks_token,
        summary="Label texts",
    )
    async def predict(asked: Asked, request: Request) -> Response:
        """Label texts. One that cannot be labelled has an error, and the others their labels."""
        request.scope[N_TEXTS] = len(asked.texts)
        wanted = _Asked(asked.texts, asked.top_k)
        if (n_labels := wanted.n_labels(n_classes)) > limits.answers:
            said = (
                f"{n_labels:,} labels for {len(asked.texts):,} texts, and {limits.answers:,} are allowed in one answer"
            )
            raise HTTPException(422, f"top_k: {said}: send fewer texts, or a smaller top_k")
        answer = gathering.ask(wanted, wanted.size(n_classes))
        # The body has come, so what comes now is that the client goes: of what still waits, nothing is sent any more.
        gone = asyncio.ensure_future(request.receive())
        gone.add_done_callback(lambda _: answer.cancel())
        try:
            body = await answer
        except asyncio.CancelledError:
            if not gone.done():
                raise
            return Response(status_code=CLIENT_GONE)
        except EmbedderError as error:
            status, said = _told(error)
            raise HTTPException(status, said, {"Retry-After": "10"} if status == _UNAVAILABLE else None) from None
        finally:
            gone.cancel()
        return Response(body, media_type="application/json")

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
        if gate.draining:
            response.status_code = _UNAVAILABLE
        return Status(status="draining" if gate.draining else "ready")

    about = classifier.to_dict()

    @app.get("/model", responses=barred, dependencies=asks_token, summary="What is known of the classifier")
    async def model() -> dict[str, Any]:
        """Give the classes, the embedder, the settings and the measured quality of the classifier."""
        return about

    @app.get(
        "/metrics",
        response_class=Response,
        responses=barred | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        dependencies=asks_token,
        summary="Counts for Prometheus",
    )
    async def metrics() -> Response:
        """Give requests, latency, texts, batch sizes, queue, tokens and dollars in Prometheus' text format."""
        return Response(counters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(page(app.openapi(), request.scope.get("root_path", "")), headers=headers)

    return app


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    """Say why a body could not be read as JSON."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        said = f"the body is not text in {cause.encoding.upper()}, at byte {cause.start:,}"
    elif isinstance(cause, RecursionError):
        said = "the body is nested too deeply"
    elif isinstance(cause, ValueError):
        said = "the body holds a number with too many digits"
    else:
        said = "the body cannot be read"
    return JSONResponse({"detail": said}, 400)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Say where a request is at fault and why, without what stands there."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker: it is called for no other
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        return JSONResponse({"detail": f"the body is not JSON, at character {faults[0]['loc'][-1]}"}, 422)
    said = "; ".join(f"{_place(fault['loc'])}{_reason(fault)}" for fault in faults[:3])
    more = f"; and {len(faults) - 3:,} more" if len(faults) > 3 else ""
    return JSONResponse({"detail": said + more}, 422)


def _place(where: Sequence[int | str]) -> str:
    shown = ""
    for part in where[1:]:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
    # The name of a field that should not be there is whatever was sent.
    shown = shown.removeprefix(".").encode("ascii", "backslashreplace").decode()[:80]
    return f"{shown}: " if shown else ""


def _reason(fault: dict[str, Any]) -> str:
    kind, said = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind == "too_long":
        return f"{fault['ctx']['actual_length']:,} texts, and {fault['ctx']['max_length']:,} are allowed in one request"
    if kind == "too_short":
        return "there is no text"
    if len(fault["loc"]) == 1 and kind != "value_error":
        return 'the body must be {"texts": ["…"]}, with the header Content-Type: application/json'
    return f"{said[:1].lower()}{said[1:]}"
