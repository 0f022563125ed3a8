"""Single GET requests to a server, within limits of time and size, without retries.

They are sent only when a person asks for what only the server knows, and to addresses that are made from the base URL:
none is ever taken from a response or a file.
"""

from typing import Any

from embedclf._version import __version__
from embedclf.embedding.aimlapi.answers import AnswerError
from embedclf.embedding.aimlapi.api_key import read_key
from embedclf.embedding.aimlapi.base_url import is_loopback_url
from embedclf.embedding.aimlapi.bounds import CONTENT_ENCODING, read_bounded
from embedclf.embedding.aimlapi.connections import from_connection, is_late
from embedclf.embedding.aimlapi.deadlines import keep_deadlines, within
from embedclf.embedding.aimlapi.refusals import from_lookup, status_of
from embedclf.embedding.aimlapi.transport import transport_settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import EmbedderError
from embedclf.phases import phase

_SECONDS = 30.0
# AI/ML API's list of models with prices has 1.3 MB. In memory, JSON may take 27 times its size.
_MOST_BYTES = 8 * 2**20


def look_up(url: str, base_url: str, *, with_key: bool = False, etag: str | None = None) -> Any:
    """Ask a server with GET.

    Parameters
    ----------
    url : str
        Made from the base URL.
    base_url : str
    with_key : bool
        Whether to send the key. A server on this machine may do without one.
    etag : str, optional
        Of the response that is known already.

    Returns
    -------
    httpx.Response
        A success, or 304 if it is still the one known.

    Raises
    ------
    EmbedderError
        If there is no usable response.
    """
    with phase("Asking the server"):
        found = _response(url, base_url, with_key=with_key, etag=etag)
    if isinstance(found, EmbedderError):
        raise found
    return found


def unusable(url: str, why: str) -> EmbedderError:
    """Return the error for a successful response that cannot be used."""
    return EmbedderError(f"{url} returned an unusable response: {why}; check the base URL, or try again later")


def _response(url: str, base_url: str, *, with_key: bool, etag: str | None) -> Any:
    """Return the response, or an error: an exception that it were chained to would hold the request, and so the key."""
    import openai

    headers = {
        "accept": "application/json",
        "accept-encoding": CONTENT_ENCODING,
        "user-agent": f"embedclf/{__version__}",
        **({} if etag is None else {"if-none-match": etag}),
    }
    why = "the balance cannot be asked for without a key"
    key = read_key(needed=not is_loopback_url(url), why=why) if with_key else ""
    if key:
        headers["authorization"] = f"Bearer {key}"
    try:
        with openai.DefaultHttpxClient(timeout=_SECONDS, **transport_settings(url)) as client, within(_SECONDS):
            keep_deadlines(client)
            response = read_bounded(
                client.send(client.build_request("GET", url, headers=headers), stream=True), _MOST_BYTES
            )
    except AnswerError as error:
        return unusable(url, str(error))
    except Exception as error:  # noqa: BLE001 - proxies, certificates and addresses fail in many ways
        if is_late(error):
            return EmbedderError(f"{url} did not respond within {_SECONDS:g} s: try again later", late=True)
        return EmbedderError(from_connection(error, EmbedderSpec("aimlapi", "", None, base_url), _SECONDS).message)
    response.status_code = status_of(response)
    if response.is_success or (response.status_code == 304 and etag is not None):
        return response
    return from_lookup(response, url, base_url, needs_key=with_key)
