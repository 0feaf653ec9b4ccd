"""A policy reads one beginning of sequence, and stops at the same tokens, on every path."""

import json
from pathlib import Path

import pytest
from families import FAMILIES, GEMMA3, GPT2, LLAMA3, QWEN3, family_tokenizer, write_family
from tokenizers import processors
from transformers import PreTrainedTokenizerBase

from benchmark.models.policy.answers import draw, generate, prompt_ids, token_batches
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.models.policy.tokens import (
    encode,
    encode_prompts,
    end_of_turn,
    opens_itself,
    render_prompt,
    saved_stop_tokens,
    stop_tokens,
)
from benchmark.tasks import make_task

QUESTION = "What is 2 ?"
PROBLEMS = make_task("arithmetic").split("test", 4)
SAMPLING, PLAN = Sampling(max_tokens=30), Evaluation(samples=4, seed=3)


def token_ids(tokenizer: PreTrainedTokenizerBase, *tokens: str | None) -> list[int]:
    return [tokenizer.convert_tokens_to_ids(token) for token in tokens if token is not None]


# ---- one beginning of sequence -------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_begins_with_one_bos(name: str) -> None:
    family = FAMILIES[name]
    tokenizer = family_tokenizer(family)
    (ids,) = encode_prompts(tokenizer, [QUESTION])
    begins = ids[:1] == token_ids(tokenizer, family.bos)
    assert begins == family.adds_bos
    if begins:
        assert ids[1] != ids[0]
    rendered = render_prompt(tokenizer, QUESTION)
    assert tokenizer.decode(ids) == rendered
    assert ids == tokenizer(rendered, add_special_tokens=False)["input_ids"]


def test_a_template_without_bos_gets_the_tokenizers() -> None:
    tokenizer = family_tokenizer(LLAMA3)
    tokenizer.chat_template = QWEN3.template
    assert not opens_itself(tokenizer, render_prompt(tokenizer, QUESTION))
    (ids,) = encode_prompts(tokenizer, [QUESTION])
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    tokenizer.chat_template = None
    assert encode_prompts(tokenizer, ["a"]) == [tokenizer("a")["input_ids"]]


def test_an_end_that_the_tokenizer_adds_is_left_out() -> None:
    tokenizer = family_tokenizer(LLAMA3)
    added = [(token, tokenizer.convert_tokens_to_ids(token)) for token in (LLAMA3.bos, LLAMA3.eos)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{LLAMA3.bos} $A {LLAMA3.eos}", special_tokens=added
    )
    assert tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in encode_prompts(tokenizer, [QUESTION])[0]
    assert encode(tokenizer, ["a", ""]) == [[0, tokenizer("a")["input_ids"][1]], [0]]


def test_diagnosis_reads_what_generation_read(tmp_path: Path) -> None:
    folder = write_family(LLAMA3, tmp_path / "model")
    tokenizer, policy = load_tokenizer(folder), load_policy(folder).eval()
    seen: list[list[int]] = []
    hook = policy.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].tolist()), with_kwargs=True
    )
    completions = draw(policy, tokenizer, PROBLEMS, SAMPLING, PLAN)
    hook.remove()
    read = [[i for i in row if i != tokenizer.pad_token_id] for row in seen[0]]
    assert read == prompt_ids(tokenizer, completions)
    assert all(row[0] == tokenizer.bos_token_id != row[1] for row in read)
    (batch,) = token_batches(tokenizer, completions, 99, policy.device)
    rows = zip(batch["prompt_ids"], batch["prompt_mask"].bool(), strict=True)
    assert [ids[mask].tolist() for ids, mask in rows] == read


# ---- one set of stop tokens ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_the_end_of_turn_stops_a_completion(name: str) -> None:
    family = FAMILIES[name]
    tokenizer = family_tokenizer(family)
    assert end_of_turn(tokenizer) == token_ids(tokenizer, family.end_of_turn)
    expected = dict.fromkeys(token_ids(tokenizer, family.eos, family.end_of_turn))
    assert stop_tokens(tokenizer, None) == list(expected)


def test_the_models_own_stop_tokens_count() -> None:
    tokenizer = family_tokenizer(GEMMA3)
    eos, turn = token_ids(tokenizer, GEMMA3.eos, GEMMA3.end_of_turn)
    assert stop_tokens(tokenizer, [9, eos]) == [eos, 9, turn]
    assert stop_tokens(tokenizer, 9) == [eos, 9, turn]


@pytest.mark.parametrize(
    ("ending", "length"),
    [("", 0), (".", 0), ("\n\nHuman: ", 6), ("</s>\n", 4), ("<|endoftext|>\n", 1)],
)
def test_an_end_of_turn_may_be_no_token(ending: str, length: int) -> None:
    tokenizer = family_tokenizer(GPT2)
    turn = "{% for m in messages %}{{ 'A: ' + m.content + ending }}{% endfor %}"
    tokenizer.chat_template = f"{{% set ending = {ending!r} %}}{turn}"
    assert len(end_of_turn(tokenizer)) == length
    assert stop_tokens(tokenizer, None) == [tokenizer.eos_token_id]


def test_a_template_for_questions_alone_has_no_end_of_turn() -> None:
    tokenizer = family_tokenizer(GPT2)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('only users') }}"
        "{% endif %}{{ m.content }}{% endfor %}"
    )
    assert end_of_turn(tokenizer) == []


def test_evaluation_stops_at_every_stop_token(tmp_path: Path) -> None:
    tokenizer = family_tokenizer(LLAMA3)
    letters = tokenizer("abcdefghij", add_special_tokens=False)["input_ids"]
    folder = write_family(LLAMA3, tmp_path / "model", eos=[1, *letters])
    stops = {*letters, *token_ids(tokenizer, LLAMA3.eos, LLAMA3.end_of_turn)}
    found = generate(folder, PROBLEMS, SAMPLING, PLAN).ids
    assert any(ids[-1] in letters for ids in found)
    for ids in found:
        assert not stops & set(ids[:-1])
        assert ids[-1] in stops or len(ids) == SAMPLING.max_tokens


def test_stop_tokens_are_read_as_loading_does(tmp_path: Path) -> None:
    folder = write_family(GEMMA3, tmp_path / "model", eos=[1, 3])
    assert saved_stop_tokens(folder) == load_policy(folder).generation_config.eos_token_id == [1, 3]
    (folder / "generation_config.json").unlink()
    assert saved_stop_tokens(folder) == [load_policy(folder).generation_config.eos_token_id] == [1]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    assert saved_stop_tokens(folder) == []
