"""Training in two processes: every statistic is of the whole batch, and the same in both."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from projects import grpo_arguments, low_tokens

from benchmark.objectives import Conciseness
from benchmark.scalarizers import CTWA, Feedback
from benchmark.training import MultiObjectiveGRPOTrainer


class Recorder(CTWA):
    """CTWA, keeping its feedback."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.feedback: list[Feedback] = []

    def update(self, feedback: Feedback) -> None:
        self.feedback.append(feedback)
        super().update(feedback)


def train_one_of_two(model: Path, folder: Path) -> None:
    """Train as one process of two, and write what it saw below ``folder``."""
    conciseness = Conciseness()
    sizes = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4}
    arguments = grpo_arguments(
        model, folder, max_steps=2, ddp_backend="gloo", eval_on_start=True, **sizes
    )
    arguments["reward_funcs"] = [conciseness, low_tokens]
    scalarizer = Recorder(["conciseness", "low"])
    trainer = MultiObjectiveGRPOTrainer(
        **arguments, scalarizer=scalarizer, estimator="reinforce_plus_plus"
    )
    trainer.train()
    last = scalarizer.feedback[-1]
    assert last.completion_weights is not None
    seen = {
        "rewards": last.rewards.tolist(),
        "groups": last.groups.tolist(),
        "weights": last.completion_weights.tolist(),
        "state": {name: value.tolist() for name, value in scalarizer.state.items()},
        "observed": conciseness.state_dict()["completions"],
        "initial_tokens": trainer.initial_tokens,
        "parameters": [value.double().sum().item() for value in trainer.model.parameters()],
    }
    (folder / f"rank{os.environ['RANK']}.json").write_text(json.dumps(seen))


def test_two_processes_see_the_whole_batch(tiny_model: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(tiny_model), str(tmp_path)],
            env=os.environ | meeting | {"RANK": rank, "LOCAL_RANK": rank, "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert len(first["rewards"]) == len(first["weights"]) == 8
    assert first["groups"] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert first["observed"] == 16


if __name__ == "__main__":
    train_one_of_two(Path(sys.argv[1]), Path(sys.argv[2]))
