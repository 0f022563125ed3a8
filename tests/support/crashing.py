"""What fails in any process but the one that made it; for `test_executors.py`."""

import os
import signal
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings


class CrashingEmbeddings(Embeddings):
    """Tell texts apart by their letters, until a text has the word "poison".

    Parameters
    ----------
    how : {"killed", "raises", "not here", "unreadable"}
        What happens elsewhere: the process is killed at the poison, or raises an error, or one that cannot be read
        where it comes from; or it cannot open this at all.
    """

    def __init__(self, how: str) -> None:
        self.how, self.at_home = how, os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.how == "not here" and os.getpid() != self.at_home:
            raise ImportError("No module named 'theirs'")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if os.getpid() != self.at_home and any("poison" in text for text in texts):
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise UnreadableError(self.at_home) if self.how == "unreadable" else RuntimeError("it is broken")
        return [[float(text.count(letter)) for letter in "aeiou"] + [1.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class UnreadableError(Exception):
    """An error that cannot be opened in one process."""

    def __init__(self, not_in: int) -> None:
        super().__init__("of a strange kind")
        self.not_in = not_in

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.not_in,)


def _opened(not_in: int) -> UnreadableError:
    if os.getpid() == not_in:
        raise ImportError("No module named 'theirs'")
    return UnreadableError(not_in)


class CrashingRows:
    """Vectors that kill the process where they are looked at."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.at_home = rows, os.getpid()

    def __getitem__(self, chosen: Any) -> np.ndarray:
        if os.getpid() != self.at_home:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.rows[chosen]
