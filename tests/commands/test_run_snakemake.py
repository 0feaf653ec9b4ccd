from typing import Any

import pytest

from benchmark.commands.jobs import run_snakemake


@pytest.mark.parametrize(
    ("options", "limited"),
    [
        ([], False),
        (["--executor", "local"], False),
        (["--max-jobs-per-timespan", "7/2s"], True),
        (["--executor", "touch"], True),  # as a cluster's
    ],
)
def test_jobs_on_this_machine_are_not_limited_by_the_second(
    monkeypatch: pytest.MonkeyPatch, options: list[str], limited: bool
) -> None:
    seen: list[Any] = []

    def called(given: Any, parser: Any) -> bool:
        seen.append(given.max_jobs_per_timespan)
        return True

    monkeypatch.setattr(run_snakemake, "args_to_api", called)
    assert run_snakemake.main(["--cores", "1", *options]) == 0
    assert (seen[0] is not None) is limited


def test_an_error_of_snakemakes_is_its_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_snakemake, "args_to_api", lambda given, parser: False)
    assert run_snakemake.main(["--cores", "1"]) == 1
