import subprocess
import sys

import pytest

# In a process of its own: once Snakemake's command is loaded, the solver quadprog ends a process.
CALL = """
import sys
from benchmark.commands.jobs import run_snakemake

def called(given, parser):
    print("limited" if given.max_jobs_per_timespan is not None else "free")
    return given.cores != 2

run_snakemake.args_to_api = called
options = ([], ["--executor", "local"], ["--max-jobs-per-timespan", "7/2s"])
found = [run_snakemake.main(["--cores", "1", *given]) for given in options]
found.append(run_snakemake.main(["--cores", "1", "--executor", "touch"]))  # as a cluster's
found.append(run_snakemake.main(["--cores", "2"]))
print(found)
"""


@pytest.mark.slow
def test_jobs_on_this_machine_are_not_limited_by_the_second() -> None:
    done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
    *limits, statuses = done.stdout.splitlines()
    assert limits == ["free", "free", "limited", "limited", "free"]
    assert statuses == "[0, 0, 0, 0, 1]"
