"""A lock that survives a fork."""

import os
import threading


class ForkSafeLock:
    """A re-entrant lock that a forked process has anew: another thread of its parent's may have held the old one."""

    def __init__(self) -> None:
        self._of_process: dict[int, threading.RLock] = {}

    def __enter__(self) -> None:
        self._of_process.setdefault(os.getpid(), threading.RLock()).acquire()

    def __exit__(self, *exception: object) -> None:
        self._of_process[os.getpid()].release()
