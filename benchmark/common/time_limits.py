"""Interrupt code that takes too long, by the clock."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from benchmark.common.errors import Faulty

AGAIN = 0.5  # seconds until code that swallowed the interruption is interrupted anew


class _TimeUp(BaseException):
    """Not an ``Exception``: code that retries whatever fails must not retry this."""


@contextmanager
def time_limit(seconds: float | None, what: str) -> Iterator[None]:
    """Interrupt the block once it has taken so many seconds; None for no limit.

    It works where signals are delivered: in the main thread, between two steps of Python or in a
    call that waits (a sleep, a socket, a lock). In other threads there is no limit. An alarm that
    was set before goes on afterwards.

    Raises:
        Faulty: The time was up; ``what`` is whose code it is.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _TimeUp

    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    start = time.monotonic()
    try:
        yield
    except _TimeUp as error:
        raise Faulty(f"{what}: expected an end within {seconds:g} s, got none") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            rest = max(left - (time.monotonic() - start), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, rest, interval)
