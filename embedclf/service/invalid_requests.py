"""Answers to requests that cannot be read, or are not what they should be."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


async def answer_unreadable(request: Request, error: Exception) -> JSONResponse:
    """Answer 400, and why the body could not be read as JSON."""
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


async def answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer 422, and where a request is wrong and why, without what it says there."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker: it handles no other error
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
    # The name of an unknown field is whatever was sent.
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
