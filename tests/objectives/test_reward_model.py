"""Reward models: what they read, how they are batched and loaded, and what is refused."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import LLAMA3, QWEN3, family_tokenizer
from reward_models import ARCHITECTURES, LONGEST, build_reward_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForSequenceClassification,
)

from benchmark.common.errors import CrosstalkError
from benchmark.models.tiny.build import CHAT_TEMPLATE
from benchmark.objectives import RewardModel
from benchmark.objectives.scorer import Scorer, load_scorer

QUESTION = "What is 3 + 4 ?"
TEXTS = [
    r" Step 1 : 3 + 4 = 7 . \boxed{ 7 }",
    " The answer is 7 , I think .",
    " 7",
    "",
    " We start with 3 , add 4 to get 7 , so it is \\boxed{ 7 } .",
    " no",
]
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    def make(*args: Any, **settings: Any) -> Path:
        return build_reward_model(tmp_path_factory.mktemp("reward"), *args, **settings)

    return make


@pytest.fixture(scope="module")
def folder(build: Build) -> Path:
    return build()


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


def rewards(objective: RewardModel, *texts: str, question: Any = QUESTION) -> list[float]:
    ids = [[0]] * len(texts)
    return objective(completions=texts, completion_ids=ids, question=[question] * len(texts))


def logit(folder: Path, text: str, *, specials: bool = True) -> float:
    """Return what ``transformers`` alone gives for one text, without any padding."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(text, return_tensors="pt", add_special_tokens=specials)
    with torch.no_grad():
        return model(**batch).logits[0, 0].item()


# ---- the score -----------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reward_is_the_squashed_score(build: Build, architecture: str) -> None:
    folder = build(architecture)
    expected = torch.tensor([logit(folder, QUESTION + text) for text in TEXTS])
    found = rewards(RewardModel(str(folder)), *TEXTS)
    assert found == pytest.approx(expected.sigmoid().tolist(), abs=1e-5)
    assert max(found) - min(found) > 0.01
    raw = RewardModel(str(folder), squash=False)
    assert rewards(raw, *TEXTS) == pytest.approx(expected.tolist(), abs=1e-4)
    assert raw.upper_bound == float("inf")


@pytest.mark.parametrize(
    "template", [LLAMA3.template, QWEN3.template, None], ids=["with", "without", "none"]
)
def test_a_reward_model_reads_one_bos(template: str | None) -> None:
    tokenizer = family_tokenizer(LLAMA3)
    tokenizer.chat_template = template
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        pad_token_id=1,
    )
    scorer = Scorer(LlamaForSequenceClassification(config), tokenizer)
    for ids in scorer.encode([(QUESTION, " 7"), ("", "")]):
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1


def test_a_chat_template_makes_two_turns_of_them(build: Build) -> None:
    folder = build(chat=True)
    turns = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n 7<|im_end|>\n"
    assert CHAT_TEMPLATE.startswith("{% for message in messages %}")
    expected = torch.tensor(logit(folder, turns, specials=False)).sigmoid().item()
    objective = RewardModel(str(folder))
    assert rewards(objective, " 7") == pytest.approx([expected])
    conversation = [{"role": "user", "content": QUESTION}]
    assert rewards(objective, " 7", question=conversation) == pytest.approx([expected])


def test_question_wins_over_the_prompt(folder: Path) -> None:
    objective = RewardModel(str(folder))
    given: dict[str, Any] = {"completions": [" 7"], "completion_ids": [[0]]}
    both = objective(**given, prompts=["<|im_start|>user"], question=[QUESTION])
    assert both == rewards(objective, " 7")
    assert both == objective(**given, prompts=[QUESTION])
    assert both != objective(**given, prompts=["<|im_start|>user"])


def test_without_a_question_it_says_what_it_needs(folder: Path) -> None:
    with pytest.raises(
        CrosstalkError, match=r"'reward_model': expected .* 'question' .*got answer"
    ):
        RewardModel(str(folder))(completions=["7"], completion_ids=[[0]], answer=["7"])


@pytest.mark.parametrize("label", [1, "good"])
def test_one_of_several_outputs_is_chosen_by_index_or_name(build: Build, label: int | str) -> None:
    folder = build(num_labels=3, id2label={0: "bad", 1: "good", 2: "other"})
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(QUESTION + " 7", return_tensors="pt")
    with torch.no_grad():
        expected = model(**batch).logits[0, 1].item()
    found = rewards(RewardModel(str(folder), label=label, squash=False), " 7")
    assert found == pytest.approx([expected])


def test_a_text_that_is_too_long_is_cut_off_at_its_end(folder: Path) -> None:
    objective = RewardModel(str(folder))
    long = " 7" * LONGEST
    assert rewards(objective, f"{long} 1 2 3") == rewards(objective, long * 100)
    assert rewards(objective, f" 1{long}") != rewards(objective, long)


# ---- batching ------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [1, 2, 16])
def test_the_order_of_a_batch_and_doubles_change_no_bit(
    build: Build, architecture: str, size: int
) -> None:
    objective = RewardModel(str(build(architecture)), batch_size=size)
    expected = dict(zip(TEXTS, rewards(objective, *TEXTS), strict=True))
    mixed = random.Random(size).choices(TEXTS, k=20) + TEXTS
    assert rewards(objective, *mixed) == [expected[text] for text in mixed]


def test_company_changes_the_last_bits_at_most(folder: Path) -> None:
    alone = [rewards(RewardModel(str(folder)), text)[0] for text in TEXTS]
    for size in (1, 2, 16):
        found = rewards(RewardModel(str(folder), batch_size=size), *TEXTS)
        assert found == pytest.approx(alone, abs=1e-6)
    assert rewards(RewardModel(str(folder), batch_size=1), *TEXTS) == alone


def test_padding_falls_back_to_the_end_of_sequence(broken: Path) -> None:
    expected = rewards(RewardModel(str(broken)), *TEXTS)
    for name in ("config.json", "tokenizer_config.json"):
        config = json.loads((broken / name).read_text())
        keys = ("pad_token", "pad_token_id")
        (broken / name).write_text(json.dumps({k: v for k, v in config.items() if k not in keys}))
    load_scorer.cache_clear()
    assert rewards(RewardModel(str(broken)), *TEXTS) == pytest.approx(expected, abs=1e-6)


# ---- loading -------------------------------------------------------------------------------------


def test_model_is_loaded_once_on_first_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    original = AutoModelForSequenceClassification.from_pretrained

    def counted(*args: Any, **settings: Any) -> Any:
        loads.append(settings)
        return original(*args, **settings)

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", counted)
    load_scorer.cache_clear()
    first, second = RewardModel(str(folder)), RewardModel(str(folder), squash=False)
    assert not loads
    for objective in (first, second, first.for_evaluation(3.0)):
        objective(completions=["7"], completion_ids=[[0]], prompts=["?"])
    assert len(loads) == 1
    assert loads[0]["use_safetensors"] is True
    assert loads[0]["trust_remote_code"] is False
    assert first.state_dict() == {}


def test_scoring_leaves_the_random_stream_alone(folder: Path) -> None:
    load_scorer.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    rewards(RewardModel(str(folder)), *TEXTS)
    assert torch.equal(torch.rand(4), expected)


def test_weights_have_the_type_asked_for(folder: Path) -> None:
    found = rewards(RewardModel(str(folder), dtype="bfloat16", device="cpu"), *TEXTS)
    assert found == pytest.approx(rewards(RewardModel(str(folder)), *TEXTS), abs=0.05)
    parameters = list(load_scorer(folder, "cpu", "bfloat16", False).model.parameters())
    assert {each.dtype for each in parameters} == {torch.bfloat16}
    assert not any(each.requires_grad for each in parameters)


# ---- what is refused -----------------------------------------------------------------------------


def test_a_whole_folder_passes_the_check(folder: Path, build: Build) -> None:
    RewardModel(str(folder)).check()
    RewardModel(str(build(num_labels=2)), label="LABEL_1").check()


BROKEN = [
    ("config.json", None, "config.json: cannot be read"),
    ("tokenizer.json", None, "no tokenizer"),
    ("model.safetensors", None, "no weights"),
    ("model.safetensors", "", "weights are damaged"),
]


@pytest.mark.parametrize(("name", "content", "expected"), BROKEN)
def test_missing_or_damaged_file_is_named(
    broken: Path, name: str, content: str | None, expected: str
) -> None:
    (broken / name).unlink()
    if content is not None:
        (broken / name).write_text(content)
    objective = RewardModel(str(broken))
    with pytest.raises(CrosstalkError, match=expected):
        objective.check()
    with pytest.raises(CrosstalkError, match=f"objective 'reward_model': .*{expected}"):
        rewards(objective, "7")


@pytest.mark.parametrize("found", [["Qwen2ForCausalLM"], [], None])
def test_a_model_of_another_kind_does_not_pass_the_check(broken: Path, found: Any) -> None:
    file = broken / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"architectures": found}))
    shown = "Qwen2ForCausalLM" if found else "none"
    with pytest.raises(CrosstalkError, match=rf"architectures: expected a seq.*, got {shown}"):
        RewardModel(str(broken)).check()


def test_the_output_has_to_be_chosen_among_several(build: Build) -> None:
    two = RewardModel(str(build(num_labels=2)))
    for use in (two.check, lambda: rewards(two, "7")):
        with pytest.raises(
            CrosstalkError, match=r"one of the 2 outputs .* 0 \(LABEL_0\), 1 \(LABEL_1\)"
        ):
            use()
    with pytest.raises(CrosstalkError, match="unknown label 'LABEL_7'; did you mean"):
        RewardModel(str(two.folder), label="LABEL_7").check()


def test_missing_weights_are_not_replaced_by_random_ones(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrosstalkError, match=r"1 weights are missing, such as score\.weight"):
        rewards(RewardModel(str(broken)), "7")


def test_a_language_model_is_not_taken_for_a_reward_model(tiny_model: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"expected a sequence class.*, got Qwen2ForCausalLM"):
        RewardModel(str(tiny_model)).check()
    with pytest.raises(CrosstalkError, match=r"weights are missing, such as score\.weight"):
        rewards(RewardModel(str(tiny_model), label=0), "7")


def test_python_in_the_folder_is_not_run(broken: Path, tmp_path: Path) -> None:
    (broken / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    file = broken / "config.json"
    own = {"AutoModelForSequenceClassification": "own.Own"}
    config = json.loads(file.read_text()) | {"auto_map": own, "model_type": "of_ones_own"}
    file.write_text(json.dumps(config))
    with pytest.raises(CrosstalkError, match=r"the (reward model|tokenizer) cannot be loaded"):
        rewards(RewardModel(str(broken)), "7")
    assert not (tmp_path / "ran").exists()


def test_scores_that_are_no_numbers_are_told_in_one_line(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["score.weight"].fill_(float("nan"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrosstalkError, match=r"'reward_model': expected a finite .*, got nan"):
        rewards(RewardModel(str(broken)), "7")
