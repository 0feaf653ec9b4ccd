"""Run Snakemake as its own command does, without its limit of jobs a second on this machine.

With a limit, which it has by default, each job that ends starts one more timer, and each timer that
fires has Snakemake look through all waiting jobs and starts the next: after 300 jobs it keeps a
third of a core busy, and ever more. Jobs on this machine need no limit. One that was asked for, and
a cluster's, is kept.
"""

import sys

from snakemake.cli import args_to_api, parse_args
from snakemake.exceptions import print_exception

LOCAL = (None, "local")
DEFAULT = (100, 1)  # jobs, seconds


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    try:
        parser, given = parse_args(arguments)
        limit = given.max_jobs_per_timespan
        if given.executor in LOCAL and limit and (limit.max_jobs, limit.timespan) == DEFAULT:
            given.max_jobs_per_timespan = None
        return 0 if args_to_api(given, parser) else 1
    except Exception as error:
        print_exception(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
