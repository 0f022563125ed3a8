"""Which windows have been closed, so that their texts are asked elsewhere."""

import threading
import time

from embedclf.labelling.session import Session

# A page that is reloaded also reports that it closes, and is back within this time.
_BACK_SECONDS = 5.0


class Windows:
    """The windows of a session that have reported that they close.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._closed: dict[str, float] = {}  # when each said so

    def hear(self, window: str) -> None:
        """Note that a window is open, and release the texts of those that are gone."""
        now = time.monotonic()
        with self._lock:
            self._closed.pop(window, None)
            gone = [one for one, since in self._closed.items() if now - since >= _BACK_SECONDS]
            for one in gone:
                del self._closed[one]
        for one in gone:
            self._session.leave(one)

    def close(self, window: str) -> None:
        """Note that a window says that it closes."""
        with self._lock:
            self._closed[window] = time.monotonic()
