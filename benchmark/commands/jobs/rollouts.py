"""Choose what draws a cell's rollouts: the policy itself, vLLM's engine next to it, or a server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive
from benchmark.models.policy.engines import need_vllm
from benchmark.models.policy.tokens import encode
from benchmark.models.policy.vllm import set_up
from benchmark.study.study import Cell

SECONDS = 10  # that a server may take to answer
PATIENCE = 60.0  # seconds until TRL gives up on it


def rollout_config(cell: Cell) -> dict[str, Any]:
    """Return the part of TRL's configuration that says what draws the rollouts."""
    rollouts = cell.study.file.training.rollouts
    if rollouts == "transformers":
        return {}
    need_vllm("training.rollouts", rollouts)
    set_up()
    if rollouts == "vllm-server":
        return {
            "use_vllm": True,
            "vllm_mode": "server",
            "vllm_server_base_url": _reached(cell),
            "vllm_server_timeout": PATIENCE,
        }
    share = cell.study.models[cell.model].resources.vllm_memory
    return {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": share}


def longest_sequence(cell: Cell, tokenizer: PreTrainedTokenizerBase, *prompts: Dataset) -> int:
    """Return the tokens of the longest prompt with its completion, which the engine must hold."""
    texts = [text for dataset in prompts for text in dataset["prompt"]]
    return max(map(len, encode(tokenizer, texts))) + cell.study.file.sampling.max_tokens


@contextmanager
def own_server(cell: Cell) -> Iterator[None]:
    """Lock the cell's vLLM server, if it has one, against other cells of the project.

    A server serves one policy at a time.
    """
    if cell.study.file.training.rollouts != "vllm-server":
        yield
        return
    server = _server(cell)
    name = re.sub(r"[^\w.-]+", "-", server).strip("-")
    with exclusive(cell.study.layout.root / "results" / f".{name}.lock", f"training on {server}"):
        yield


def _server(cell: Cell) -> str:
    return str(cell.study.models[cell.model].resources.vllm_server).rstrip("/")


def _reached(cell: Cell) -> str:
    server = _server(cell)
    try:
        with urlopen(f"{server}/health", timeout=SECONDS):
            return server
    except (URLError, OSError) as error:
        raise CrosstalkError(
            f"models.yaml: {cell.model}: resources.vllm_server: {server} cannot be reached: "
            f"{error}; `trl vllm-serve --model FOLDER` starts a server"
        ) from error
