"""Error responses to requests that cannot be parsed or validated."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


async def answer_unreadable(request: Request, error: Exception) -> JSONResponse:
    """Return a 400 response that says why the body cannot be read as JSON."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        reason = f"the body is not valid {cause.encoding.upper()} (at byte {cause.start:,})"
    elif isinstance(cause, RecursionError):
        reason = "the body is nested too deeply"
    elif isinstance(cause, ValueError):
        reason = "the body contains a number with too many digits"
    else:
        reason = "the body cannot be read"
    return JSONResponse({"detail": reason}, 400)


async def answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Return a 422 response that says where the request is invalid and why, without repeating its content."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker; registered for this error only
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        return JSONResponse({"detail": f"the body is not valid JSON (at character {faults[0]['loc'][-1]})"}, 422)
    reason = "; ".join(f"{_location(fault['loc'])}{_reason(fault)}" for fault in faults[:3])
    more = f"; and {len(faults) - 3:,} more" if len(faults) > 3 else ""
    return JSONResponse({"detail": reason + more}, 422)


def _location(where: Sequence[int | str]) -> str:
    shown = ""
    for part in where[2:]:  # after "body" and which of its forms
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
    # The name of an unknown field comes from the client.
    shown = shown.removeprefix(".").encode("ascii", "backslashreplace").decode()[:80]
    return f"{shown}: " if shown else ""


def _reason(fault: dict[str, Any]) -> str:
    kind, reason = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        needs_text = fault["loc"][1:] == ("texts", "explain")
        return 'needs "text", one text, instead of "texts"' if needs_text else "unknown field"
    if kind == "too_long":
        return f"{fault['ctx']['actual_length']:,} texts exceed the limit of {fault['ctx']['max_length']:,} per request"
    if kind == "too_short":
        return "at least one text is required"
    if len(fault["loc"]) <= 2 and kind != "value_error":
        return 'the body must be {"texts": ["…"]}, with the header Content-Type: application/json'
    return f"{reason[:1].lower()}{reason[1:]}"
