"""The ASGI application behind the labelling page."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse

from embedclf.errors import ArgumentError, EmbedclfError
from embedclf.formatting import to_json
from embedclf.labelling.access import Access
from embedclf.labelling.page import POLICY, page
from embedclf.labelling.questions import Question
from embedclf.labelling.schemas import Answered, Asked, Finished, Skipped, shown_progress, shown_question
from embedclf.labelling.session import AnsweredElsewhereError, Session
from embedclf.labelling.windows import Windows
from embedclf.service.invalid_requests import answer_unreadable
from embedclf.service.limits import Limits
from embedclf.service.middleware import LoadLimits, RequestLogging, ServiceState

LIMITS = Limits(body_bytes=1_000_000, requests=64, connections=128)
"""Far more than a person with some windows needs."""


def create_app(session: Session, *, token: str, port: int, finish: Callable[[], str]) -> FastAPI:
    """Return an ASGI application with the page of a session.

    Every response has the next text to show and the progress, so that a key press takes one round trip.

    Parameters
    ----------
    session : Session
    token : str
        What the browser must send at first; see `Access`.
    port : int
        The port of the server.
    finish : callable
        Called when the person says that the work is done; returns what to tell them.
    """
    state = ServiceState()
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        exception_handlers={
            RequestValidationError: _answer_invalid,
            400: answer_unreadable,
            EmbedclfError: _answer_error,
        },
    )
    app.state.service = state
    # Starlette makes the one added last the outermost.
    app.add_middleware(
        LoadLimits, state=state, limits=LIMITS, note_change=lambda: None, path=None, advice="shorten the note"
    )
    # While labelling, nobody needs a log line about each key press.
    app.add_middleware(RequestLogging, state=state, record=lambda *_: None, level=logging.DEBUG)
    app.add_middleware(Access, token=token, port=port)
    _add_page(app, session)
    _add_answers(app, session, Windows(session))

    @app.get("/progress")
    def progress() -> Response:
        return _json({"progress": shown_progress(session.progress())})

    @app.post("/finish")
    def end(_: Finished) -> Response:
        return _json({"said": finish()})

    return app


def _add_page(app: FastAPI, session: Session) -> None:
    html = page(several=session.several)

    @app.get("/")
    async def show() -> HTMLResponse:
        return HTMLResponse(html, headers={"content-security-policy": POLICY})


def _add_answers(app: FastAPI, session: Session, windows: Windows) -> None:
    # These wait for the disk, so they are not coroutines, and run in threads.

    @app.post("/ask")
    def ask(body: Asked) -> Response:
        windows.hear(body.window)
        return _shown(session, session.ask(body.window))

    @app.post("/answer")
    def answer(body: Answered) -> Response:
        return keep(body, partial(session.answer, labels=tuple(body.labels)))

    @app.post("/skip")
    def skip(body: Skipped) -> Response:
        return keep(body, session.skip)

    def keep(body: Skipped, how: Callable[..., Question | None]) -> Response:
        windows.hear(body.window)
        try:
            question = how(body.window, body.row, revision=body.revision, note=body.note.strip())
        except AnsweredElsewhereError as error:
            other = error.question.labels
            return _shown(session, session.ask(body.window), 409, detail=str(error), answered=other)
        return _shown(session, question)

    @app.post("/undo")
    def undo(body: Asked) -> Response:
        windows.hear(body.window)
        question = session.undo(body.window)
        return _shown(session, question or session.ask(body.window), is_undone=question is not None)

    @app.post("/leave")
    def leave(body: Asked) -> Response:
        windows.close(body.window)
        return _json({})


def _shown(session: Session, question: Question | None, status: int = 200, **more: object) -> Response:
    shown = {"question": shown_question(question), "progress": shown_progress(session.progress())}
    return _json(shown | more, status)


def _json(content: Any, status: int = 200) -> Response:
    return Response(to_json(content), status, media_type="application/json")


async def _answer_error(request: Request, error: Exception) -> Response:
    """Return why an answer is not kept: it cannot be one (422), or cannot be written (500)."""
    return _json({"detail": str(error)}, 422 if isinstance(error, ArgumentError) else 500)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """Return a 422 response that says where the request is invalid, without repeating its content."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker; registered for this error only
    fault = error.errors()[0]
    # The name of an unknown field comes from the client.
    where = ".".join(map(str, fault["loc"][1:])).encode("ascii", "backslashreplace").decode()[:80]
    return _json({"detail": f"{where or 'the body'}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"}, 422)
