"""The key of AI/ML API: read from the environment when it is needed, and kept out of everything that is shown."""

import os
import re
from typing import Any

from embedclf.errors import EmbedderError

KEY_VARIABLE = "AIMLAPI_API_KEY"
KEY_PAGE = "https://aimlapi.com/app/keys"

# Those of other providers are in the environment, too, and in what their clients say.
_ENDINGS_OF_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
# As much of a secret as gives it away, and is no common word.
_LEAST_SECRET = 8
# No more of a message is looked through, which takes the square of its length, than can be shown of it.
_MOST_LOOKED_THROUGH = 2_000


def has_key() -> bool:
    """Whether a key is set."""
    return bool(os.environ.get(KEY_VARIABLE, "").strip())


def read_key() -> str:
    """Return the key.

    Raises
    ------
    EmbedderError
        If none is set, or what is set cannot be one.
    """
    if fault := _key_fault():
        raise EmbedderError(fault)
    return os.environ[KEY_VARIABLE].strip()


def _key_fault() -> str | None:
    # Apart from `read_key`, so that no frame of a traceback holds the key.
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return (
            f"{KEY_VARIABLE} is not set, and the texts are to be embedded by AI/ML API: get a key at "
            f"{KEY_PAGE} and set it with: export {KEY_VARIABLE}=…"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        return f"{KEY_VARIABLE} holds characters that no key has: set it again"
    return None


def told(message: str) -> str:
    """Make what others say fit to be shown: without a key, in one line, and not too long."""
    message = message[:_MOST_LOOKED_THROUGH]
    for name, value in os.environ.items():
        if name.endswith(_ENDINGS_OF_SECRETS) and len(value.strip()) >= _LEAST_SECRET:
            secret = value.strip()
            # Whoever quotes a key may have cut it, at either end.
            start, end = re.escape(secret[:_LEAST_SECRET]), re.escape(secret[-_LEAST_SECRET:])
            message = re.sub(rf"{start}[\w.~+/=-]*|[\w.~+/=-]*{end}", "…", message.replace(secret, "…"))
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())[:500]


def named(identity: Any) -> str:
    """Name a request by its id, which is what support asks for."""
    return f" (request {told(str(identity))[:80]})" if identity else ""
