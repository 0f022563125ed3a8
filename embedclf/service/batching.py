"""Batch requests that arrive together into one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, NamedTuple, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")

# How long a request waits for others to join its batch while a call is running and another may start.
_WINDOW_SECONDS = 0.005


class _Waiting(NamedTuple):
    request: object
    size: int
    answer: "asyncio.Future[object]"


class Batcher(Generic[Request, Answer]):
    """Calls a function once for all requests that arrive at about the same time.

    Small requests are batched and processed in the event loop itself, since passing them to a thread would take longer
    than processing them. Large requests are processed in threads. A large request starts at once if no call is running;
    those that arrive during a call are batched into the next one. Use a batcher in one event loop only.

    Parameters
    ----------
    process : callable
        Takes a list of requests and returns one answer per request. If it raises, all of them get the error; it is
        wrapped in a RuntimeError if a future does not accept it (StopIteration) or it is not an Exception (SystemExit).
    max_inline_size : int
        Requests below this size are small, and it limits the total size of a call in the event loop, which is blocked
        meanwhile. 0 processes all requests in threads.
    max_calls : int
        Maximum number of concurrent calls in threads. If it is above 1, a request waits a few milliseconds at most for
        others to join its batch.
    max_batch_size : int
        Maximum total size of a call in a thread, unless a single request is larger.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Request]], Sequence[Answer]],
        *,
        max_inline_size: int,
        max_calls: int,
        max_batch_size: int,
    ) -> None:
        self._process = process
        self._max_inline_size = max_inline_size
        self._max_calls = max_calls
        self._max_batch_size = max_batch_size
        self._threads = ThreadPoolExecutor(max_calls, thread_name_prefix="embedclf")
        self._small: deque[_Waiting] = deque()
        self._large: deque[_Waiting] = deque()
        self._n_calls = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def n_waiting(self) -> int:
        """Number of requests that wait for their call to start."""
        return len(self._small) + len(self._large)

    def submit(self, request: Request, size: int) -> "asyncio.Future[Answer]":
        """Return a future for the answer. Cancelling it does not affect other requests in the same batch."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        waiting = _Waiting(request, size, answer)  # type: ignore[arg-type]
        if size < self._max_inline_size:
            if not self._small:
                loop.call_soon(self._process_small)
            self._small.append(waiting)
            return answer
        self._large.append(waiting)
        if not self._n_calls:
            self._start()
        elif self._n_calls < self._max_calls and self._timer is None:
            self._timer = loop.call_later(_WINDOW_SECONDS, self._start)
        return answer

    def _process_small(self) -> None:
        batch = _take(self._small, self._max_inline_size)
        if self._small:
            asyncio.get_running_loop().call_soon(self._process_small)  # lets other callbacks run first
        if batch:
            _deliver(batch, self._answer(batch))

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = _take(self._large, self._max_batch_size)
        if not batch:
            return
        self._n_calls += 1
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._answer, batch)
        call.add_done_callback(partial(self._end, batch))

    def _end(self, batch: list[_Waiting], call: "asyncio.Future[Sequence[object]]") -> None:
        self._n_calls -= 1
        _deliver(batch, call.result())
        if self._large:
            self._start()

    def _answer(self, batch: list[_Waiting]) -> Sequence[object]:
        try:
            return self._process([one.request for one in batch])  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - otherwise the requests would wait forever
            return [_as_exception(error)] * len(batch)


def _as_exception(error: BaseException) -> Exception:
    """Return an error that a future accepts, and that stops neither the event loop nor a task."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"the call raised {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped


def _take(waiting: deque[_Waiting], max_size: int) -> list[_Waiting]:
    batch: list[_Waiting] = []
    size = 0
    while waiting and not (batch and size + waiting[0].size > max_size):
        one = waiting.popleft()
        if not one.answer.done():  # if it is, the client has disconnected
            batch.append(one)
            size += one.size
    return batch


def _deliver(batch: list[_Waiting], answers: Sequence[object]) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if one.answer.done():
            continue
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
