"""Training in several processes, one a GPU: what ``accelerate launch`` does, from this process.

The launcher is called and not started, so that the processes that train are this one's children:
they end with it, however it ends, and hold its GPUs with it until they have.
"""

import os

from benchmark.commands.jobs.gpus import check_count, kept_on_cpu, machine_gpus
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import ACCELERATE
from benchmark.study.study import Cell


def is_launched() -> bool:
    """Return whether this process is one of several that train a cell together."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(cell: Cell) -> None:
    """Train a cell in as many processes as its model has GPUs; return when all have ended well.

    Raises:
        CrosstalkError: There are fewer GPUs, or a process failed, having said why.
    """
    if not kept_on_cpu():
        check_count(cell.processes, machine_gpus(), f"models.yaml: {cell.model}: resources.gpus")
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from benchmark.common.termination import Terminated

    try:
        launch_command(launch_command_parser().parse_args(_arguments(cell)))
    except SignalException:
        raise Terminated from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise CrosstalkError(
            f"{cell.id}: of its {cell.processes} processes, number {rank} ended first, with exit "
            f"status {failure.exitcode}; what it said is above"
        ) from error


def _arguments(cell: Cell) -> list[str]:
    configuration = ACCELERATE / f"{cell.parallelism}.yaml"
    return [
        *("--config_file", str(configuration), "--num_processes", str(cell.processes)),
        *("--main_process_port", "0"),  # any free one: several launches share a machine
        *("--num_cpu_threads_per_process", str(_threads(cell))),
        *("--module", "benchmark", "--end-with-parent"),
        *("train", cell.study.given_path, cell.id, "--hash", cell.training_hash),
    ]


def _threads(cell: Cell) -> int:
    """Return the threads of each process: its part of those that this one was given."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(given) if given.isdecimal() else os.cpu_count() or 1
    return max(1, cores // cell.processes)
