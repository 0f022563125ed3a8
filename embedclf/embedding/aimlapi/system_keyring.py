"""The key in the system's keyring, for those who do not want it in their environment.

The keyring is opened only if a key was put into it: an empty file notes that. So choosing the default embedder is
quick, and no system asks for a password until a request is about to be sent.
"""

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.errors import EmbedderError

INSTALL = "pip install 'embedclf[keyring]'"

_SERVICE, _NAME = "embedclf", "AIMLAPI_API_KEY"
_fetched: list[str] = []
_fetching = ForkSafeLock()


def is_noted() -> bool:
    """Return whether a key was put into the keyring, without opening it."""
    try:
        return _note().is_file()
    except OSError:  # a folder that may not be looked into
        return False


def is_installed() -> bool:
    """Return whether the library that opens keyrings is there, without importing it."""
    return find_spec("keyring") is not None


def fetch() -> str | None:
    """Return the key, asking the keyring once per process; None if it has none.

    Raises
    ------
    EmbedderError
        If there is no keyring, or it cannot be opened.
    """
    with _fetching:  # the system would ask each thread for the password
        if not _fetched and (key := _ask("get_password")):
            _fetched.append(key)
        return _fetched[0] if _fetched else None


def fetched() -> list[str]:
    """Return the keys that this process has fetched, which no message may show."""
    return list(_fetched)


def store(key: str) -> None:
    """Put a key into the keyring, in place of the one that is there.

    Raises
    ------
    EmbedderError
        See `fetch`; also if the keyring does not keep it.
    """
    _ask("set_password", key)
    _fetched.clear()
    if _ask("get_password") != key:
        raise EmbedderError(f"the system's keyring ({name()}) did not keep the key: set {_NAME} instead")
    note = _note()
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    except OSError as error:
        # Without the note it would never be used.
        raise EmbedderError(f"the key cannot be used from the keyring: {note}: {error.strerror}") from error


def remove() -> bool:
    """Delete the key from the keyring; return whether there was one.

    Raises
    ------
    EmbedderError
        See `fetch`.
    """
    if found := _ask("get_password") is not None:
        _ask("delete_password")
    _fetched.clear()
    with contextlib.suppress(OSError):  # a note without a key is an error that says so, at the next request
        _note().unlink(missing_ok=True)
    return found


def name() -> str:
    """Return what the keyring is called, such as macOS Keyring."""
    return str(_library().get_keyring().name)


def _ask(function: str, *values: str) -> Any:
    library = _library()
    try:
        return getattr(library, function)(_SERVICE, _NAME, *values)
    except library.errors.NoKeyringError:
        problem = "this system has no keyring, as is usual on servers and in containers"
    except Exception as error:  # noqa: BLE001 - each system's keyring has exceptions of its own
        reason = " ".join(str(error).split())
        for value in values:
            reason = reason.replace(value, "…")
        problem = f"the system's keyring cannot be opened ({reason[:300] or type(error).__name__})"
    raise EmbedderError(f"{problem}: set {_NAME} instead")


def _library() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise EmbedderError(f"the system's keyring needs another library: {INSTALL}") from None
    return keyring


def _note() -> Path:
    from platformdirs import user_config_path

    return user_config_path("embedclf", appauthor=False) / "key-in-keyring"
