"""Code that takes too long is interrupted, named, and leaves no alarm behind."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.common.errors import Faulty
from benchmark.common.time_limits import time_limit


def test_code_that_sleeps_for_ever_is_interrupted() -> None:
    late = pytest.raises(Faulty, match=r"^it: expected an end within 0.05 s, got none$")
    with late, time_limit(0.05, "it"):
        time.sleep(60)


def test_code_that_retries_whatever_fails_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.common.time_limits.AGAIN", 0.02)
    with pytest.raises(Faulty), time_limit(0.02, "it"):
        for _ in range(3):
            try:
                threading.Event().wait()
            except BaseException:
                continue
        threading.Event().wait()


def test_no_alarm_stays_behind() -> None:
    with time_limit(5, "it"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 4
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_set_before_goes_on() -> None:
    handler = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with time_limit(1, "it"):
            pass
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_IGN
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_threads_have_no_limit() -> None:
    def briefly() -> str:
        with time_limit(0.01, "it"):
            time.sleep(0.03)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(briefly).result() == "done"
