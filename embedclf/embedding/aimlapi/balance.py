"""The balance of an account of AI/ML API, for which its key is needed."""

import json
import math
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from embedclf.embedding.aimlapi.advice import is_aimlapi
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.aimlapi.base_url import is_loopback_url
from embedclf.embedding.aimlapi.lookups import look_up, unusable
from embedclf.errors import EmbedderError

# Of the server, not of its base URL, which ends in /v1.
_PATH = "/v2/billing"


class Balance(NamedTuple):
    """What is left on an account.

    Attributes
    ----------
    amount : float
    currency : str
    """

    amount: float
    currency: str


def read_balance(base_url: str) -> Balance:
    """Ask for the balance of the account that the key belongs to.

    Parameters
    ----------
    base_url : str
        That of AI/ML API, or of a server on this machine.

    Raises
    ------
    EmbedderError
        If it is another server's, to which the key would be sent for nothing; if there is no key; or if the server
        cannot be reached, refuses, or tells no balance.
    """
    if not is_aimlapi(base_url) and not is_loopback_url(base_url):
        raise EmbedderError(
            f"{base_url} is not AI/ML API, the only service whose balance embedclf can ask for: the key was not "
            "sent. Look up the balance on the provider's site"
        )
    url = urlsplit(base_url)._replace(path=_PATH).geturl()
    response = look_up(url, base_url, with_key=True)
    try:
        body: Any = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    body = body if isinstance(body, dict) else {}
    amount, currency = body.get("current_balance"), body.get("currency", "USD")
    is_amount = type(amount) in (int, float) and abs(amount) < 1e12 and math.isfinite(amount)
    if not is_amount or not isinstance(currency, str):
        raise unusable(url, "it contains no balance")
    return Balance(amount, redact(currency)[:16])
