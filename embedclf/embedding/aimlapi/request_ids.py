"""The ids of a request: ours, and those that the server gave it, which its support and its bills go by."""

from collections.abc import Mapping
from typing import Any

from embedclf.embedding.aimlapi.advice import is_aimlapi
from embedclf.embedding.aimlapi.api_key import redact

CLIENT_HEADER = "x-client-request-id"
"""The provider stores it and shows it in its usage logs, if it is 1 to 128 characters of A-Za-z0-9._:- ."""

# AI/ML API's ids have 21 to 36 characters.
_MOST_CHARACTERS = 80


def clean_id(given: Any) -> str:
    """Return an id that a server gave, fit to show and to keep; empty if there is none."""
    return redact(str(given))[:_MOST_CHARACTERS] if isinstance(given, str | int) and given else ""


def inference_id(headers: Mapping[str, str]) -> str:
    """Return the id under which a request is charged; empty if there is none."""
    return clean_id(headers.get("x-inference-id"))


def request_note(response: Any, request_id: Any = None, *, short: bool = False) -> str:
    """Return a note with the ids that the server gave a request; empty if there are none.

    Parameters
    ----------
    response : httpx.Response
    request_id : object
        What the body of an error has as its ``requestId``, which the provider's support asks for.
    short : bool
        Whether the first of them is enough.
    """
    ids = {
        "request": clean_id(request_id) or clean_id(response.headers.get("x-request-id")),
        "inference": inference_id(response.headers),
    }
    if short:
        ids = dict([(name, value) for name, value in ids.items() if value][:1])
    return _note(**ids)


def unanswered_note(sent_as: str, base_url: str) -> str:
    """Return a note with our id of a request that was not answered, for AI/ML API's logs; empty at other servers."""
    return _note(sent_as=sent_as if is_aimlapi(base_url) else "")


def _note(**ids: str) -> str:
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in ids.items() if value]
    return f" ({', '.join(parts)})" if parts else ""
