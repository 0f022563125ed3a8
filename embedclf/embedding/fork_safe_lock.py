"""A lock that is safe to use after a fork."""

import os
import threading


class ForkSafeLock:
    """A re-entrant lock, separate in each forked process: a thread of the parent may hold the inherited one."""

    def __init__(self) -> None:
        self._of_process: dict[int, threading.RLock] = {}

    def __enter__(self) -> None:
        self._of_process.setdefault(os.getpid(), threading.RLock()).acquire()

    def __exit__(self, *exception: object) -> None:
        self._of_process[os.getpid()].release()
