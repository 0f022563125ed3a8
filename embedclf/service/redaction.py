"""Keep texts out of log messages."""

import traceback
from collections.abc import Sequence
from pathlib import Path

from embedclf.errors import EmbedderError


def error_kind(error: BaseException) -> str:
    """Return an error's type and where it was raised, but not its message, which may quote a text."""
    names = [type(error).__name__]
    while error.__cause__ is not None and len(names) < 5:
        error = error.__cause__
        names.append(type(error).__name__)
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    where = f" at {Path(frames[0].filename).name}:{frames[0].lineno}" if frames else ""
    return f"{' from '.join(names)}{where}"


def message_without_texts(error: EmbedderError, texts: Sequence[str]) -> str:
    """Return an error's message unless it quotes a text, as messages of an embedding provider may."""
    message = " ".join(str(error).split())
    beginnings = {" ".join(text[:200].split())[:20] for text in texts} - {""}
    if any(beginning in message for beginning in beginnings):
        return f"the embedder failed with {error_kind(error)}; its message is hidden because it quotes a text"
    return message
