"""Connections of a service: how long one may hold its place before it has asked for something."""

import asyncio
from typing import Any


def bounded(seconds: float) -> type[asyncio.Protocol]:
    """Make uvicorn's protocol close a connection on which no whole head of a request comes.

    uvicorn itself waits for it forever, and who opens many would let nobody else in. How long the body may take is for
    the guard to say, and how long an answer takes for the application.

    Parameters
    ----------
    seconds : float
        A connection that is waiting for a request is closed after so long, at the latest after twice that.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class Bounded(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch = self.loop.call_later(seconds, self._look, (None, True))

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.cancel()
            super().connection_lost(exc)

        def _look(self, last: tuple[Any, bool]) -> None:
            # A cycle is a request and its answer; the next begins when its head has come.
            now = (self.cycle, self.cycle is None or self.cycle.response_complete)
            if now[1] and now == last:
                self.transport.close()
            else:
                self._watch = self.loop.call_later(seconds, self._look, now)

    return Bounded
