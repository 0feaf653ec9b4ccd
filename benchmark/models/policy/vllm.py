"""Draw completions with vLLM's offline engine, all prompts and samples at once.

The only module that imports vLLM, and only while it draws: it need not be installed.
"""

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.common.errors import CrosstalkError
from benchmark.common.randomness import separate_stream
from benchmark.models.policy.loading import holds_code, whole_model
from benchmark.models.policy.sampling import Sampling

if TYPE_CHECKING:
    from vllm import LLM

GPU_SHARE = 0.9  # of a GPU's memory: nothing else is on it while a policy is evaluated
_SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # requests are scheduled alike every time
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; by default it takes half of the machine's memory
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # cells beside one another would share one core
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}


def complete(
    folder: Path,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    samples: int,
    seed: int,
    stops: Sequence[int],
) -> list[list[int]]:
    """Draw n ``samples`` completions of each of P prompts from the policy saved in ``folder``.

    A completion's random numbers depend only on the seed, the prompt's place and the sample, so two
    policies draw with the same ones. Prompts and completions are token ids; returned are P·n lists,
    those of one prompt after one another, the token among ``stops`` that ended each included.
    """
    set_up()
    from vllm import SamplingParams

    seeds = np.random.SeedSequence(seed).generate_state(len(prompts)).tolist()
    requests = [
        SamplingParams(
            n=samples,
            seed=own,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop_token_ids=list(stops),
            detokenize=False,
        )
        for own in seeds
    ]
    tokens = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
    length = max(map(len, prompts)) + sampling.max_tokens
    with separate_stream(seed), whole_model(folder) as model, open_engine(model, length) as engine:
        outputs = engine.generate(tokens, requests, use_tqdm=False)
        return [list(one.token_ids) for output in outputs for one in output.outputs]


def set_up() -> None:
    """Set the engine's environment, before vLLM is imported; what the user has set stays."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def reload_weights(engine: "LLM", weights: Iterable[tuple[str, Tensor]]) -> None:
    """Replace the weights of an engine in this process."""
    engine.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})
    engine.apply_model(_pack_heads)
    engine.reset_prefix_cache()


def _pack_heads(model: nn.Module) -> None:
    """Pack the weights of output heads again, which the reload skips for tied ones.

    On the CPU a head computes with a packed copy, made when its own weights are loaded; a head tied
    to the embedding has none of its own.
    """
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    for layer in model.modules():
        if isinstance(layer, ParallelLMHead):
            layer.quant_method.process_weights_after_loading(layer)


@contextmanager
def open_engine(folder: Path, length: int) -> Iterator["LLM"]:
    """Yield an engine for sequences up to ``length`` tokens; free its memory afterwards."""
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    on_gpu = torch.cuda.is_available()
    try:
        engine = LLM(
            model=str(folder),
            max_model_len=length,
            dtype="bfloat16" if on_gpu else "float32",
            gpu_memory_utilization=GPU_SHARE,
            enable_prefix_caching=True,
            enforce_eager=not on_gpu,
            generation_config="vllm",  # no default of the model comes through
            trust_remote_code=holds_code(folder),
        )
    except (ValueError, RuntimeError, NotImplementedError, OSError) as error:
        raise CrosstalkError(
            f"{folder}: vLLM cannot run the model: {_last_line(error)}; "
            "`evaluation: {backend: transformers}` can"
        ) from error
    try:
        yield engine
    finally:
        engine.llm_engine.engine_core.shutdown()
        del engine
        cleanup_dist_env_and_memory()
        gc.collect()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
