"""What a job took, in the columns of Snakemake's ``benchmark:`` files.

Snakemake measures the process that it started and its children; a job that was forked elsewhere is
none of them. So each job measures itself, which sees its short-lived children too.
"""

import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmark.common.files import replacing

COLUMNS = ("s", "h:m:s", "max_rss", "cpu_time")
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; macOS counts those, Linux kilobytes


def write_usage(file: Path) -> None:
    """Write a table of one row about this process and the children that it has waited for.

    The columns: ``s`` and ``h:m:s``, the time since it started; ``max_rss``, the most memory in MB
    that one of the processes held (pages shared with others included); ``cpu_time``, the processor
    time in seconds of all.
    """
    import psutil  # not before a command has been chosen

    seconds = time.time() - psutil.Process().create_time()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    row = (
        f"{seconds:.2f}",
        str(timedelta(seconds=int(seconds))),
        f"{max(each.ru_maxrss for each in used) * RSS_UNIT / 2**20:.2f}",
        f"{sum(each.ru_utime + each.ru_stime for each in used):.2f}",
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as scratch:
        scratch.write_text("\t".join(COLUMNS) + "\n" + "\t".join(row) + "\n", encoding="utf-8")
