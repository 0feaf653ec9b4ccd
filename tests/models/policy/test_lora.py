"""Sending a policy of adapters to an engine leaves the frozen base as it was, bit for bit."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import get_peft_model
from projects import multi_objective
from torch import Tensor
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer import grpo_trainer

from benchmark.models.policy.loading import load_policy
from benchmark.models.policy.lora import FrozenBase, lora_config
from benchmark.models.training import Lora
from benchmark.scalarizers import Linear

SYNCHRONISATIONS = 200


class Engine:
    """Stands for vLLM's engine: takes weights as its model does."""

    def __init__(self) -> None:
        self.weights: dict[str, Tensor] = {}
        model = SimpleNamespace(load_weights=self.load)
        runner = SimpleNamespace(model_runner=SimpleNamespace(model=model))
        self.llm_engine = SimpleNamespace(model_executor=SimpleNamespace(driver_worker=runner))

    def load(self, weights: list[tuple[str, Tensor]]) -> None:
        self.weights |= {name: value.clone() for name, value in weights}

    def reset_prefix_cache(self) -> None:
        pass


@contextmanager
def gathered(parameters: Any) -> Any:
    yield parameters


def generation(model: Any) -> VLLMGeneration:
    """TRL's own code that sends weights, with an engine that only keeps them."""
    made = VLLMGeneration.__new__(VLLMGeneration)
    made.model, made.mode, made.enable_sleep_mode = model, "colocate", False
    made._dist = SimpleNamespace(gather_params=gathered, is_fsdp=False)
    made.accelerator = SimpleNamespace(is_main_process=True)
    made.llm = Engine()
    return made


@pytest.fixture
def model(tiny_model: Path) -> Any:
    adapted = get_peft_model(load_policy(tiny_model, "bfloat16"), lora_config(Lora(rank=8)))
    torch.manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return adapted


def frozen(model: Any) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in model.named_parameters() if "lora_" not in n}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> int:
    return sum(int((before[name] != after[name]).sum()) for name in before)


def test_merging_alone_changes_the_base(model: Any) -> None:
    before = frozen(model)
    generation(model).sync_weights()
    assert changed(before, frozen(model)) > 0.01 * sum(map(torch.numel, before.values()))


def test_the_frozen_base_survives_synchronisations(model: Any) -> None:
    before, sender = frozen(model), generation(model)
    sender._iter_named_params = FrozenBase(model).around(sender._iter_named_params)
    sender.sync_weights()
    first = sender.llm.weights
    assert changed(before, frozen(model)) == 0
    assert not any(getattr(module, "merged", False) is True for module in model.modules())
    for _ in range(SYNCHRONISATIONS - 1):
        sender.sync_weights()
    assert changed(before, frozen(model)) == 0
    assert all(torch.equal(first[name], sender.llm.weights[name]) for name in first)
    merged = first["model.layers.0.self_attn.q_proj.weight"]
    own = before["base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"]
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert torch.equal(merged, (own + layer.get_delta_weight("default")).to(torch.bfloat16))
    assert not torch.equal(merged, own)


def test_the_base_is_whole_if_sending_fails(model: Any) -> None:
    before, sender = frozen(model), generation(model)
    weights = FrozenBase(model).around(sender._iter_named_params)()
    next(weights)
    weights.close()
    assert changed(before, frozen(model)) == 0
    assert not any(getattr(module, "merged", False) is True for module in model.modules())


def test_the_trainer_sends_weights_this_way(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", lambda **made: generation(made["model"]))
    trainer = multi_objective(
        tiny_model,
        tmp_path,
        Linear(["few", "low"]),
        peft_config=lora_config(Lora(rank=2)),
        use_vllm=True,
    )
    model = trainer.model
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    before = frozen(model)
    trainer.vllm_generation.sync_weights()
    assert trainer.vllm_generation.llm.weights
    assert changed(before, frozen(model)) == 0
