"""The class of routes in somebody else's application, which bring their limits, counts and error responses along."""

import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from embedclf.service.asgi import Receive, Scope, Send
from embedclf.service.invalid_requests import answer_invalid
from embedclf.service.limits import Limits
from embedclf.service.metrics import Metrics
from embedclf.service.middleware import LoadLimits, ServiceState


def own_route(state: ServiceState, limits: Limits, metrics: Metrics) -> type[APIRoute]:
    """Return the class of the routes of one router."""

    class OwnRoute(APIRoute):
        """A route whose body is limited before it is read, and whose answers are counted."""

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            limited = LoadLimits(super().handle, state=state, limits=limits, note_change=metrics.note_change, path=None)
            await limited(scope, receive, send)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle, path = super().get_route_handler(), f"/{self.path.rpartition('/')[2]}"

            async def counted(request: Request) -> Response:
                began, status = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)
                try:
                    response = await _answered(handle, request)
                    status = response.status_code
                except HTTPException as error:
                    status = error.status_code
                    raise
                else:
                    return response
                finally:
                    metrics.record(path, status, time.perf_counter() - began)

            return counted

    return OwnRoute


async def _answered(handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    """Answer a request; an invalid one gets the service's own response, which does not repeat its texts."""
    try:
        return await handle(request)
    except RequestValidationError as error:
        return await answer_invalid(request, error)
