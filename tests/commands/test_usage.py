"""What a job says it took."""

import subprocess
import sys
from pathlib import Path

from benchmark.commands.jobs.usage import write_usage


def test_usage_counts_this_process_and_its_children(tmp_path: Path) -> None:
    def used() -> dict[str, str]:
        write_usage(tmp_path / "cell" / "train.benchmark.tsv")
        lines = (tmp_path / "cell" / "train.benchmark.tsv").read_text().splitlines()
        return dict(zip(*(line.split("\t") for line in lines), strict=True))

    before = used()
    work = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    after = used()
    assert float(after["cpu_time"]) - float(before["cpu_time"]) >= 0.3
    assert float(after["s"]) > float(before["s"]) > 0
    assert 1 < float(after["max_rss"]) < 10**6
    assert after["h:m:s"].count(":") == 2
