"""Requests that come together are answered together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, NamedTuple, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# What comes this much later than another can still go with it, where several calls may be under way.
_WINDOW_SECONDS = 0.005


class _Waiting(NamedTuple):
    asked: object
    size: int
    answer: "asyncio.Future[object]"


class Gathering(Generic[Asked, Answer]):
    """Calls a function in threads, with all that is asked while a call is under way in one call.

    What is asked while nothing is under way starts at once. To be used in one event loop.

    Parameters
    ----------
    work : callable
        Is given what was asked, several at a time, and gives as many answers. What it raises, they all get.
    most_calls : int
        Calls under way at once. With more than one, what waits does so for a few milliseconds at most.
    most_size : int
        The sum of the sizes in one call, unless a single one is larger.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Sequence[Answer]], *, most_calls: int, most_size: int) -> None:
        self._work = work
        self._most_calls = most_calls
        self._most_size = most_size
        self._threads = ThreadPoolExecutor(most_calls, thread_name_prefix="embedclf")
        self._waiting: deque[_Waiting] = deque()
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def n_waiting(self) -> int:
        """How many wait for a call to begin."""
        return len(self._waiting)

    async def ask(self, asked: Asked, size: int) -> Answer:
        """Give the answer. Cancelled, it leaves the others of its call alone."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(_Waiting(asked, size, answer))  # type: ignore[arg-type]
        if not self._under_way:
            self._start()
        elif self._under_way < self._most_calls and self._timer is None:
            self._timer = loop.call_later(_WINDOW_SECONDS, self._start)
        return await answer

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and not (batch and size + self._waiting[0].size > self._most_size):
            one = self._waiting.popleft()
            if not one.answer.done():  # else whoever asked has gone
                batch.append(one)
                size += one.size
        if not batch:
            return
        self._under_way += 1
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._work, [one.asked for one in batch])  # type: ignore[arg-type]
        call.add_done_callback(partial(self._end, batch))

    def _end(self, batch: list[_Waiting], call: "asyncio.Future[Sequence[Answer]]") -> None:
        self._under_way -= 1
        error = call.exception()
        answers: Sequence[object] = [error] * len(batch) if error is not None else call.result()
        for one, answer in zip(batch, answers, strict=True):
            if one.answer.done():
                continue
            if isinstance(answer, BaseException):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)
        if self._waiting:
            self._start()
