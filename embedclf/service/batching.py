"""Requests that come together are answered together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, NamedTuple, TypeVar

Asked = TypeVar("Asked")
Result = TypeVar("Result")

# What comes this much later than another can still go with it, where several calls may be under way.
_WINDOW_SECONDS = 0.005


class _Waiting(NamedTuple):
    asked: object
    size: int
    answer: "asyncio.Future[object]"


class Gathering(Generic[Asked, Result]):
    """Calls a function with all that is asked at about the same time in one call.

    What is small is done in the event loop itself, a call for all that has come by then: to hand it to a thread takes
    longer than to do it. The rest is done in threads, where what is asked while nothing is under way starts at once,
    and what is asked while a call is under way goes together into the next. To be used in one event loop.

    Parameters
    ----------
    work : callable
        Is given what was asked, several at a time, and gives as many answers. What it raises, they all get: as it
        is, or as a RuntimeError if no future takes it (StopIteration) or it is no Exception (SystemExit).
    most_here : int
        What is smaller is small, and the sizes in one call in the event loop add up to no more: it does nothing else
        meanwhile. 0 if nothing is small.
    most_calls : int
        Calls under way at once in threads. With more than one, what waits does so for a few milliseconds at most.
    most_size : int
        The sum of the sizes in one call in a thread, unless a single one is larger.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Asked]], Sequence[Result]],
        *,
        most_here: int,
        most_calls: int,
        most_size: int,
    ) -> None:
        self._work = work
        self._most_here = most_here
        self._most_calls = most_calls
        self._most_size = most_size
        self._threads = ThreadPoolExecutor(most_calls, thread_name_prefix="embedclf")
        self._small: deque[_Waiting] = deque()
        self._large: deque[_Waiting] = deque()
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def n_waiting(self) -> int:
        """How many wait for a call to begin."""
        return len(self._small) + len(self._large)

    def ask(self, asked: Asked, size: int) -> "asyncio.Future[Result]":
        """Give what will have the answer. Cancelled, it leaves the others of its call alone."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        waiting = _Waiting(asked, size, answer)  # type: ignore[arg-type]
        if size < self._most_here:
            if not self._small:
                loop.call_soon(self._do_small)
            self._small.append(waiting)
            return answer
        self._large.append(waiting)
        if not self._under_way:
            self._start()
        elif self._under_way < self._most_calls and self._timer is None:
            self._timer = loop.call_later(_WINDOW_SECONDS, self._start)
        return answer

    def _do_small(self) -> None:
        batch = _take(self._small, self._most_here)
        if self._small:
            asyncio.get_running_loop().call_soon(self._do_small)  # what else the loop has to do comes first
        if batch:
            _give(batch, self._answers(batch))

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = _take(self._large, self._most_size)
        if not batch:
            return
        self._under_way += 1
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._answers, batch)
        call.add_done_callback(partial(self._end, batch))

    def _end(self, batch: list[_Waiting], call: "asyncio.Future[Sequence[object]]") -> None:
        self._under_way -= 1
        _give(batch, call.result())
        if self._large:
            self._start()

    def _answers(self, batch: list[_Waiting]) -> Sequence[object]:
        try:
            return self._work([one.asked for one in batch])  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who asked must not wait forever
            return [_as_exception(error)] * len(batch)


def _as_exception(error: BaseException) -> Exception:
    """Return an error that a future takes, and that ends neither the event loop nor a task."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"the call raised {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped


def _take(waiting: deque[_Waiting], most_size: int) -> list[_Waiting]:
    batch: list[_Waiting] = []
    size = 0
    while waiting and not (batch and size + waiting[0].size > most_size):
        one = waiting.popleft()
        if not one.answer.done():  # else whoever asked has gone
            batch.append(one)
            size += one.size
    return batch


def _give(batch: list[_Waiting], answers: Sequence[object]) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if one.answer.done():
            continue
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
