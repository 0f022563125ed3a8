"""The address that requests go to."""

import ipaddress
from urllib.parse import urlsplit

from embedclf.embedding.aimlapi.api_key import told
from embedclf.errors import EmbedderError

BASE_URL = "https://api.aimlapi.com/v1"


def checked_base_url(url: str, allow_http: bool) -> str:
    """Return an address as it is noted in the cache and in model files, written in one way.

    Parameters
    ----------
    url : str
    allow_http : bool
        Whether an address without encryption that is not on this machine is allowed.

    Raises
    ------
    EmbedderError
        If it cannot be the address of a server, holds anything secret, or is not encrypted.
    """
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if "@" in url or parts.query or parts.fragment:
        # The address is noted in the model file, so nothing secret may stand in it.
        raise EmbedderError("the base URL holds a user, a password or a query: give the address alone")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise EmbedderError(f"the base URL {told(url)!r} is not an address such as {BASE_URL}")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise EmbedderError(
            f"the base URL {url} is not encrypted, so anyone on the way could read the key and the texts: "
            "use https, or allow it with --allow-http (allow_http=True)"
        )
    # Written in one way, so that the cache and model files know it again.
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default)).geturl()


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
