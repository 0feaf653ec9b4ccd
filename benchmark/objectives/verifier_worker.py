"""The child process of :mod:`benchmark.objectives.verifier`: a script, never imported.

Reads lines ``["answer", "found"]`` and answers each with ``[equivalent, processor_seconds]`` until
its input ends, which it does when the parent dies. Imports nothing of this project.
"""

import json
import logging
import os
import resource
import signal
import sys
import time
from functools import lru_cache
from typing import Any

from math_verify import parse, verify


@lru_cache(maxsize=1024)
def parsed(latex: str) -> list[Any]:
    return list(parse(f"${latex}$", parsing_timeout=None))


def equivalent(answer: str, found: str) -> bool:
    try:
        return bool(verify(parsed(answer), parsed(found), timeout_seconds=None))
    except Exception:  # whatever adversarial text does to the parser: it is not the answer
        return False


def main(cpu_seconds: float, memory_bytes: int) -> None:
    replies = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # the parser prints; that must reach neither the replies nor the user
    logging.disable()
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the default is to end the process
    print("ready", file=replies, flush=True)
    os.dup2(silence, 2)  # not before: a failed start must be seen
    for line in sys.stdin:
        answer, found = json.loads(line)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        equal = equivalent(answer, found)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([equal, time.process_time() - start]), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
