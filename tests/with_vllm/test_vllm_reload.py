"""The engine's reload takes over every parameter of the policy, tied ones too."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_policies import KINDS, make_policy
from torch import Tensor
from transformers import PreTrainedModel

from benchmark.models.policy.loading import load_tokenizer
from benchmark.models.policy.vllm import open_engine, reload_weights, set_up

if TYPE_CHECKING:
    from vllm import LLM

IDS = [3, 9, 1, 20, 7, 7, 12, 5]


def by_policy(policy: PreTrainedModel) -> Tensor:
    """Return the log-probabilities (T − 1,) of the tokens after the first."""
    with torch.inference_mode():
        logps = policy(torch.tensor([IDS])).logits[0].log_softmax(dim=-1)
    return logps[:-1].gather(1, torch.tensor(IDS[1:])[:, None])[:, 0]


def by_engine(engine: "LLM") -> Tensor:
    from vllm import SamplingParams

    asked = SamplingParams(max_tokens=1, prompt_logprobs=0)
    (output,) = engine.generate([{"prompt_token_ids": IDS}], asked, use_tqdm=False)
    return torch.tensor([output.prompt_logprobs[i][IDS[i]].logprob for i in range(1, len(IDS))])


@pytest.mark.parametrize(("kind", "tied"), KINDS)
def test_every_parameter_arrives(kind: str, tied: bool, tiny_model: Path, tmp_path: Path) -> None:
    policy = make_policy(kind, tied, hidden=64)  # vLLM has no heads of fewer channels than 32
    policy.save_pretrained(tmp_path)
    load_tokenizer(tiny_model).save_pretrained(tmp_path)
    set_up()
    start = by_policy(policy)
    with open_engine(tmp_path, 32) as engine:
        torch.testing.assert_close(by_engine(engine), start, atol=1e-4, rtol=0)
        for name, _ in policy.named_parameters():
            changed = copy.deepcopy(policy)
            with torch.no_grad():
                parameter = changed.get_parameter(name)
                parameter += torch.randn_like(parameter)
            expected = by_policy(changed)
            assert (expected - start).abs().max() > 1e-3, name
            reload_weights(engine, ((n, p.detach()) for n, p in changed.named_parameters()))
            torch.testing.assert_close(by_engine(engine), expected, atol=1e-4, rtol=0, msg=name)
