"""The AI/ML API key: read from the environment or the keyring when needed, and kept out of every message."""

import os
import re
from typing import Any, Literal

from embedclf.embedding.aimlapi import system_keyring
from embedclf.errors import EmbedderError

KEY_VARIABLE = "AIMLAPI_API_KEY"
KEY_PAGE = "https://aimlapi.com/app/keys"

# Also redacts other providers' secrets, which their clients may quote in error messages.
_ENDINGS_OF_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
# Shorter values could be ordinary words.
_MIN_SECRET = 8
# Redacting takes time quadratic in the length of a message, and only its beginning is shown.
_MAX_SEARCHED = 2_000
_QUOTES = {"'": "'", '"': '"', "`": "`", "“": "”", "‘": "’", "«": "»"}
_BEFORE = re.compile(r"^(export\s+)?\w*API_KEY\s*=\s*|^(authorization:\s*)?bearer\s+", re.IGNORECASE)
_LOOKS = {
    "sk-ant-": "Anthropic",
    "sk-or-": "OpenRouter",
    "sk-proj-": "OpenAI",
    "gsk_": "Groq",
    "hf_": "Hugging Face",
    "AIza": "Google",
    "pa-": "Voyage AI",
    "jina_": "Jina",
    "r8_": "Replicate",
    "nvapi-": "NVIDIA",
    "ghp_": "GitHub",
}


def key_source() -> Literal["environment", "keyring"] | None:
    """Return where the key is, without opening the keyring; None if there is none."""
    if _from_environment():
        return "environment"
    return "keyring" if system_keyring.is_noted() and system_keyring.is_installed() else None


def key_name() -> str:
    """Return what the key is called in messages."""
    return "the key in the system's keyring" if key_source() == "keyring" else KEY_VARIABLE


def key_reason() -> str:
    """Return whether there is a key, and where, as a message says it."""
    source = key_source()
    if source == "keyring":
        return "the key is in the system's keyring"
    if source is None and system_keyring.is_noted():
        return f"{KEY_VARIABLE} is not set, and the key in the system's keyring needs {system_keyring.INSTALL}"
    return f"{KEY_VARIABLE} is {'not set' if source is None else 'set'}"


def read_key(*, needed: bool = True, why: str = "this model needs AI/ML API") -> str:
    """Return the key: that of the environment, else that in the system's keyring.

    Parameters
    ----------
    needed : bool
        Whether to raise if there is none; otherwise it is empty then.
    why : str
        Why it is needed, for the message.

    Raises
    ------
    EmbedderError
        If there is no key, its value cannot be a key, or the keyring cannot be opened.
    """
    if not needed and not is_set():
        return ""
    if fault := _key_fault(why):
        raise EmbedderError(fault)
    return _from_environment() or system_keyring.fetch() or ""


def is_set() -> bool:
    """Return whether there is a key."""
    return key_source() is not None


def look_of_key() -> str | None:
    """Return the other provider that the environment's key seems to be of; None if it looks like none."""
    return next((name for start, name in _LOOKS.items() if _from_environment().startswith(start)), None)


def is_possible(key: str) -> bool:
    """Return whether a text can be a key, which is sent as it is in the header of a request."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def _from_environment() -> str:
    return cleaned(os.environ.get(KEY_VARIABLE, ""))


def cleaned(value: str) -> str:
    """Return a key without what is copied along with it: quotes, ``export NAME=``, ``Bearer``."""
    return _BEFORE.sub("", unquoted(_BEFORE.sub("", value.strip())))


def unquoted(value: str) -> str:
    """Return what stands between quotes, as an environment file may have them around a value; and without spaces."""
    value = value.strip()
    while len(value) >= 2 and value[0] in _QUOTES and value[-1] == _QUOTES[value[0]]:
        value = value[1:-1].strip()
    return value


def _key_fault(why: str) -> str | None:
    # A function of its own, so that no traceback frame of `read_key` holds the key.
    key = _from_environment()
    if not key and system_keyring.is_noted():
        if not system_keyring.fetch():
            return (
                f"the key is no longer in the system's keyring: put it there again with embedclf key set, or set "
                f"{KEY_VARIABLE}"
            )
        return None  # what cannot be a key is not put into it
    if not key:
        return (
            f"{KEY_VARIABLE} is not set, but {why}: get a key at {KEY_PAGE} and set it with: "
            f"export {KEY_VARIABLE}=… (or keep it in the system's keyring: embedclf key set)"
        )
    if key.lower().startswith(("http://", "https://")):
        return f"{KEY_VARIABLE} is a web address, not a key: set it again (create keys at {KEY_PAGE})"
    if key.startswith(("$", "%", "<", "{")):
        return f"{KEY_VARIABLE} holds a placeholder in place of the key: set it again (create keys at {KEY_PAGE})"
    if not is_possible(key):
        what = "spaces or line breaks" if key.isascii() else "letters or signs outside ASCII"
        return f"{KEY_VARIABLE} contains characters that no key has ({what}): set it again"
    return None


def redact(message: str) -> str:
    """Return a third-party message fit to show: secrets removed, on one line, at most 500 characters."""
    message = message[:_MAX_SEARCHED]
    in_environment = [value.strip() for name, value in os.environ.items() if name.endswith(_ENDINGS_OF_SECRETS)]
    for secret in [*in_environment, *map(cleaned, in_environment), *system_keyring.fetched()]:
        if len(secret) >= _MIN_SECRET:
            # A quoted key may be truncated at either end.
            start, end = re.escape(secret[:_MIN_SECRET]), re.escape(secret[-_MIN_SECRET:])
            message = re.sub(rf"{start}[\w.~+/=-]*|[\w.~+/=-]*{end}", "…", message.replace(secret, "…"))
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())[:500]


def request_note(request_id: Any) -> str:
    """Return a note with the request id, which the provider's support asks for; empty if there is none."""
    return f" (request {redact(str(request_id))[:80]})" if request_id else ""
