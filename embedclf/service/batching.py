"""Requests that arrive together are answered together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, NamedTuple, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")

# With more than one call at a time: how long a request waits for others to go with it.
_WINDOW_SECONDS = 0.005


class _Waiting(NamedTuple):
    request: object
    size: int
    answer: "asyncio.Future[object]"


class Batcher(Generic[Request, Answer]):
    """Call a function once for all requests that arrive at about the same time.

    Small requests are processed in the event loop itself, all that have arrived in one call: to hand them to a thread
    takes longer than to do the work. The others are processed in threads. One that arrives while no call is running
    starts at once; those that arrive during a call go together into the next. To be used in one event loop.

    Parameters
    ----------
    process : callable
        Takes a list of requests and returns as many answers. Where it raises, each of them gets the error: as it is,
        or as a RuntimeError if no future accepts it (StopIteration) or it is no Exception (SystemExit).
    max_inline_size : int
        Requests below it are small. A call in the event loop, which does nothing else meanwhile, takes no more than
        this in total. 0 if no request is small.
    max_calls : int
        Calls at a time in threads. With more than one, a request waits for a few milliseconds at most.
    max_batch_size : int
        The sum of the sizes in one call in a thread, unless a single one is larger.
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
        """Number of requests that wait for a call to begin."""
        return len(self._small) + len(self._large)

    def submit(self, request: Request, size: int) -> "asyncio.Future[Answer]":
        """Return the future of an answer. To cancel it does not affect the others of its call."""
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
            asyncio.get_running_loop().call_soon(self._process_small)  # let the loop do everything else first
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
        except BaseException as error:  # noqa: BLE001 - whatever it is, no request must wait forever
            return [_as_exception(error)] * len(batch)


def _as_exception(error: BaseException) -> Exception:
    """Return an error that a future accepts, and that ends neither the event loop nor a task."""
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
        if not one.answer.done():  # else its client has gone
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
