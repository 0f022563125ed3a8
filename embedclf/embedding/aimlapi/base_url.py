"""The base URL that requests are sent to."""

import ipaddress
import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from embedclf.embedding.aimlapi.api_key import redact, unquoted
from embedclf.errors import EmbedderError

BASE_URL = "https://api.aimlapi.com/v1"


def checked_base_url(url: str, allow_http: bool) -> str:
    """Return a base URL in its normal form, as recorded in the cache and in model files.

    Parameters
    ----------
    url : str
    allow_http : bool
        Whether to allow an unencrypted server that is not on this machine.

    Raises
    ------
    EmbedderError
        If it is not a valid URL, could contain a secret, or is not encrypted.
    """
    url = unquoted(url).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if "@" in url or parts.query or parts.fragment:
        # The URL is recorded in the model file, so it must not contain secrets.
        raise EmbedderError("the base URL must not contain a user name, a password, a query or a fragment")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        scheme = "http" if re.match(r"(localhost|127\.|\[::1\])", url) else "https"
        if re.fullmatch(r"[\w.-]+\.?[\w-]+(:\d+)?(/[\w./-]*)?|\[::1\](:\d+)?(/[\w./-]*)?", url, re.ASCII):
            expected = f"did you mean {scheme}://{redact(url)}?"
        else:
            expected = f"expected something like {BASE_URL}"
        raise EmbedderError(f"the base URL {redact(url)!r} is not a valid URL ({expected})")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise EmbedderError(
            f"the base URL {url} is not encrypted, so anyone on the network could read the key and the texts: "
            "use https, or allow it with --allow-http (allow_http=True)"
        )
    if match := re.search(r"/(embeddings|chat/completions|completions)$", parts.path):
        raise EmbedderError(f"give the base URL without {match[0]}: {url.removesuffix(match[0])}")
    # One spelling per server, since the cache and model files compare URLs.
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default)).geturl()


def is_loopback_url(url: str) -> bool:
    """Return whether a URL is one of this machine's."""
    return _is_loopback(urlsplit(url).hostname)


def proxy_variable(url: str) -> str | None:
    """Return the environment variable whose proxy requests to a URL go through; None if there is none."""
    parts = urlsplit(url)
    # Unencrypted requests never go through a proxy.
    if parts.scheme != "https" or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    return next((f"{name.upper()}_PROXY" for name in ("https", "all") if name in proxies), None)


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
