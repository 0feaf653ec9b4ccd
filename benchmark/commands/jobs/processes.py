"""Train a cell in several processes, one per GPU, as ``accelerate launch`` does.

The launcher is called in this process, so that the processes that train are its children: they
end with it, however it ends, and hold its GPUs until they have.
"""

import os

from benchmark.commands.jobs.gpus import check_count, kept_on_cpu, machine_gpus
from benchmark.common.errors import USER_ERROR, CrosstalkError, Transient
from benchmark.common.paths import ACCELERATE
from benchmark.study.study import Cell


def is_launched() -> bool:
    """Return whether this process is one of several that train a cell together."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(cell: Cell) -> None:
    """Train a cell in one process per GPU; return when all have ended well.

    Raises:
        CrosstalkError: There are too few GPUs, or a process failed and said why.
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
        told = failure.exitcode == USER_ERROR  # by the process itself; else it may have been killed
        raise (CrosstalkError if told else Transient)(
            f"{cell.id}: process {rank} of {cell.processes} ended first, with exit status "
            f"{failure.exitcode}; its messages are above"
        ) from error


def _arguments(cell: Cell) -> list[str]:
    configuration = ACCELERATE / f"{cell.parallelism}.yaml"
    return [
        *("--config_file", str(configuration), "--num_processes", str(cell.processes)),
        *("--main_process_port", "0"),  # any free port: several launches share a machine
        *("--num_cpu_threads_per_process", str(_threads(cell))),
        *("--module", "benchmark", "--end-with-parent"),
        *("train", cell.study.given_path, cell.id, "--hash", cell.training_hash),
    ]


def _threads(cell: Cell) -> int:
    """Return the threads of each process: its share of this one's."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(given) if given.isdecimal() else os.cpu_count() or 1
    return max(1, cores // cell.processes)
