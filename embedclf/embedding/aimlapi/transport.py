"""How a server is reached: TLS, proxies, and redirects, for every request alike."""

import ssl
from typing import Any


def transport_settings(url: str) -> dict[str, Any]:
    """Return the arguments of an HTTP client that sends requests to a URL."""
    is_encrypted = url.startswith("https:")
    return {
        "verify": True if is_encrypted else no_certificates(),
        "follow_redirects": False,
        # A proxy from the environment could read unencrypted requests.
        "trust_env": is_encrypted,
    }


def no_certificates() -> ssl.SSLContext:
    """Return settings that trust no certificate, for what never encrypts.

    Loading those of the system takes some 30 ms each time.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
