"""The AI/ML API key: read from the environment when needed, and kept out of every message."""

import os
import re
from typing import Any

from embedclf.errors import EmbedderError

KEY_VARIABLE = "AIMLAPI_API_KEY"
KEY_PAGE = "https://aimlapi.com/app/keys"

# Also redacts other providers' secrets, which their clients may quote in error messages.
_ENDINGS_OF_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
# Shorter values could be ordinary words.
_MIN_SECRET = 8
# Redacting takes time quadratic in the length of a message, and only its beginning is shown.
_MAX_SEARCHED = 2_000


def has_key() -> bool:
    """Return whether a key is set."""
    return bool(os.environ.get(KEY_VARIABLE, "").strip())


def read_key() -> str:
    """Return the key.

    Raises
    ------
    EmbedderError
        If no key is set, or its value cannot be a key.
    """
    if fault := _key_fault():
        raise EmbedderError(fault)
    return os.environ[KEY_VARIABLE].strip()


def _key_fault() -> str | None:
    # A function of its own, so that no traceback frame of `read_key` holds the key.
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return (
            f"{KEY_VARIABLE} is not set, but this model needs AI/ML API: get a key at {KEY_PAGE} and set it with: "
            f"export {KEY_VARIABLE}=…"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        return f"{KEY_VARIABLE} contains characters that no key has: set it again"
    return None


def redact(message: str) -> str:
    """Return a third-party message fit to show: secrets removed, on one line, at most 500 characters."""
    message = message[:_MAX_SEARCHED]
    for name, value in os.environ.items():
        if name.endswith(_ENDINGS_OF_SECRETS) and len(value.strip()) >= _MIN_SECRET:
            secret = value.strip()
            # A quoted key may be truncated at either end.
            start, end = re.escape(secret[:_MIN_SECRET]), re.escape(secret[-_MIN_SECRET:])
            message = re.sub(rf"{start}[\w.~+/=-]*|[\w.~+/=-]*{end}", "…", message.replace(secret, "…"))
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())[:500]


def request_note(request_id: Any) -> str:
    """Return a note with the request id, which the provider's support asks for; empty if there is none."""
    return f" (request {redact(str(request_id))[:80]})" if request_id else ""
