"""What to do about an error of the server, as far as its words and the base URL tell."""

import re
from urllib.parse import urlsplit

from embedclf.embedding.aimlapi.api_key import KEY_PAGE, is_set, key_name, look_of_key

_FUNDS = re.compile(
    r"\bcredits?\b|\bbalance\b|\bfunds?\b|\bpayment|\bunpaid\b|top(ped)? up|insufficient[_ ](\w+_)?quota"
    r"|overdue|past due|arrear|spending limit|hard limit"
    r"|billing (limit|not|is)|enable billing|\bprepa(id|y)|recharge|plan and billing",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"(?<!for )\bmodels?\b.{0,80}?(not[ _]found|n.t exist|does not exist|not exist|unknown|not supported|unsupported"
    r"|not available|unavailable|no longer|deprecated|retired|decommissioned|not loaded|not served)"
    r"|(unknown|invalid|unsupported|no such|not a valid|unrecognized|find( the)?) model"
    r"|model_not_(found|exist|supported)",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"access to (the )?(\w+ )?model|model_not_allowed|not (allowed|entitled|authorized|permitted) .{0,40}\bmodel"
    r"|\bmodel\b.{0,60}(not allowed|not (enabled|permitted|authorized)|gated)|gated (model|repo)",
    re.IGNORECASE,
)
_REGION = re.compile(r"\b(country|countries|region|territor|location|geograph|sanction|embargo)", re.IGNORECASE)
_SUSPENDED = re.compile(
    r"suspend|deactivat|disabled|banned|terminated|blocked|locked|frozen|under review|violat", re.IGNORECASE
)
_ADDRESS = re.compile(r"\bip\b.{0,40}(allow|authori[sz]|white|permit|block)|ip[_ ]not|allow-?list", re.IGNORECASE)
_KEY = re.compile(
    r"\b(api|secret|access)[ _-]?key|\bkey\b|\btoken\b.{0,30}(invalid|expired|revoked)|unauthori[sz]ed|authenticat"
    r"|credential|bearer",
    re.IGNORECASE,
)
_PERMISSION = re.compile(r"permission|scope|forbidden|not allowed|privilege|role\b", re.IGNORECASE)
_WALL = re.compile(r"cloudflare|firewall|access denied|captcha|attention required|just a moment|waf\b", re.IGNORECASE)


def is_about_funds(words: str) -> bool:
    """Return whether an error speaks of money: credits, a balance, a payment."""
    return bool(_FUNDS.search(words))


def is_aimlapi(endpoint: str) -> bool:
    """Return whether an endpoint is AI/ML API's own."""
    return f".{urlsplit(endpoint).hostname or ''}".removesuffix(".").endswith(".aimlapi.com")


def for_status(status: int, words: str, endpoint: str, *, is_page: bool, is_aimlapi: bool) -> str:
    """Return what to do about an error; empty if nothing is known to help.

    Parameters
    ----------
    status : int
    words : str
        All that the error says.
    endpoint : str
        The base URL.
    is_page : bool
        Whether the response is a web page.
    is_aimlapi : bool
        Whether AI/ML API sent it.
    """
    if 300 <= status < 400:
        return (
            "redirects are not followed, since the texts would go to another address. If the API has moved, pass its "
            "new URL with --base-url"
        )
    if status == 402 or (status in (400, 401, 403, 500) and is_about_funds(words)):
        return "top up the account"
    if status == 401:
        return _about_key(is_aimlapi)
    if status in (404, 405, 410):
        return _about_address(words, endpoint, is_page=is_page)
    if status == 407:
        return "the proxy asks for a user name and a password: http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY"
    if status in (429, 529):
        return "try again later, or lower --concurrency"
    if status in (400, 403, 422):
        return _about_rights(status, words, is_page=is_page, is_aimlapi=is_aimlapi)
    if status in (408, 504, 524):
        return "try again, or lower --batch-size and --concurrency"
    return "try again, and report it to the provider if it persists" if status >= 500 and status != 501 else ""


def for_lookup(status: int, words: str, endpoint: str, *, is_page: bool, is_aimlapi: bool, needs_key: bool) -> str:
    """Return what to do about an error of a GET; empty if nothing is known to help.

    Parameters
    ----------
    status, words, endpoint, is_page, is_aimlapi
        See `for_status`.
    needs_key : bool
        Whether a key is meant to be sent.
    """
    if 300 <= status < 400:
        return "redirects are not followed. If the API has moved, pass its new URL with --base-url"
    if status in (404, 405, 410, 501):
        return _about_version(endpoint) or "the server does not know this address: check the base URL"
    if status in (401, 403) and not needs_key and not is_page:
        return "this server asks for a key before it lists its models, and none is sent for that"
    if status in (408, 425, 429) or (status >= 500 and not is_about_funds(words)):
        return "try again later"
    return for_status(status, words, endpoint, is_page=is_page, is_aimlapi=is_aimlapi)


def _about_key(is_aimlapi: bool) -> str:
    if not is_set():
        where = f": get a key at {KEY_PAGE} and set it with: export {key_name()}=…" if is_aimlapi else ""
        return f"the server asks for a key, but {key_name()} is not set{where}"
    if not is_aimlapi:
        return f"check {key_name()}: it must be a key for this server"
    look = look_of_key()
    return f"check {key_name()}{f', which looks like a key of {look}' if look else ''} (create keys at {KEY_PAGE})"


def _about_address(words: str, endpoint: str, *, is_page: bool) -> str:
    if _ACCESS.search(words):
        return "choose another model, or ask the provider for access to it"
    if not is_page and re.search(r"\bmodels?\b|\bpull", words, re.IGNORECASE):
        return "check the model name"
    return _about_version(endpoint) or ("check the base URL" if is_page else "check the model name and the base URL")


def _about_version(endpoint: str) -> str:
    """Return whether a base URL seems to lack its version, as a question; empty if not."""
    if re.search(r"/v\d+(beta|alpha)?\d*(/|$)", urlsplit(endpoint).path):
        return ""
    return f"is /v1 missing from the base URL ({endpoint}/v1)?"


def _about_rights(status: int, words: str, *, is_page: bool, is_aimlapi: bool) -> str:
    if _ACCESS.search(words):
        return "choose another model, or ask the provider for access to it"
    if _MODEL.search(words):
        return "check the model name"
    if status != 403:
        return _about_key(is_aimlapi) if re.search(r"\bapi[ _-]?key", words, re.IGNORECASE) else ""
    if _REGION.search(words):
        return "the provider does not serve the place that the request comes from: ask it, or use another provider"
    if _ADDRESS.search(words):
        return "allow this machine's IP address in the provider's settings"
    if is_page or _WALL.search(words):
        return "a firewall or proxy before the server seems to refuse it: check the network and the base URL"
    if _SUSPENDED.search(words):
        return "ask the provider's support about the account"
    if _PERMISSION.search(words) and not re.search(r"(invalid|incorrect|wrong) .{0,10}key", words, re.IGNORECASE):
        return f"check what {key_name()} is allowed to do, in the provider's settings"
    return _about_key(is_aimlapi) if _KEY.search(words) else "check with the provider what the account may do"
