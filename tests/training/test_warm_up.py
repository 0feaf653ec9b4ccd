"""The warm-up really trains, on what its entry says, and leaves a whole model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from projects import Project

from benchmark.commands.prepare import prepare
from benchmark.commands.train import _params
from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse
from benchmark.models.entry import ModelSpec, load_models
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.tokens import encode_prompts
from benchmark.models.preparing import model_digest, model_sources
from benchmark.models.training import ModelTraining
from benchmark.models.warming import WarmUp
from benchmark.training.warm_up import IGNORED, examples, warm_up

pytestmark = pytest.mark.slow  # real trainings

STYLES = {"boxed": {"share": 3.0}, "plain": {"share": 1.0, "right": 0.5}}


def plan(**changes: Any) -> WarmUp:
    own = {
        "task": "words",
        "parameters": {"suffix": ""},
        "problems": 200,
        "steps": 6,
        "batch": 4,
        "learning_rate": 3e-3,
        "styles": STYLES,
    }
    return parse(WarmUp, own | changes, "warm_up")


def likelihood(folder: Path, prompt: str, answer: str) -> float:
    """Return the mean log-probability of an answer's tokens, in nats."""
    policy, tokenizer = load_policy(folder), load_tokenizer(folder)
    (start,) = encode_prompts(tokenizer, [prompt])
    ids = torch.tensor([[*start, *tokenizer(answer)["input_ids"], tokenizer.eos_token_id]])
    with torch.no_grad():
        logps = policy(ids).logits.log_softmax(-1)[0, :-1]
    return float(logps.gather(1, ids[0, 1:, None])[len(start) - 1 :].mean())


def test_it_teaches_the_styles_and_where_to_stop(tiny_model: Path, tmp_path: Path) -> None:
    prompt = plan().lessons()[0].problem.prompt
    budget = warm_up(tiny_model, tmp_path / "warm", plan(steps=20), ModelTraining())
    before = likelihood(tiny_model, prompt, "\\boxed{63}")
    after = likelihood(tmp_path / "warm", prompt, "\\boxed{63}")
    assert after > before + 2
    assert budget.loss < -before
    assert budget.examples == 80
    assert (budget.steps, budget.device) == (20, "cpu")
    assert 0 < budget.answer_tokens < budget.tokens


def test_only_answers_are_learned_and_they_end(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    rows = examples(plan(), tokenizer)
    assert len(rows) == 24
    for row in rows:
        learned = [label for label in row["labels"] if label != IGNORED]
        start = len(row["labels"]) - len(learned)
        assert row["input_ids"][start:] == learned
        assert learned[-1] == tokenizer.eos_token_id
        assert "boxed" in tokenizer.decode(learned) or "answer" in tokenizer.decode(learned)
        assert tokenizer.decode(row["input_ids"][:start]).endswith("?")


def test_it_repeats_bit_for_bit_and_differs_by_seed(tiny_model: Path, tmp_path: Path) -> None:
    for name in "ab":
        warm_up(tiny_model, tmp_path / name, plan(steps=2), ModelTraining())
    a, b = (load_policy(tmp_path / name).state_dict() for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)
    tokenizer = load_tokenizer(tiny_model)
    assert examples(plan(), tokenizer) == examples(plan(), tokenizer)
    assert examples(plan(), tokenizer) != examples(plan(seed=1), tokenizer)


def test_micro_batches_change_only_rounding(tiny_model: Path, tmp_path: Path) -> None:
    for name, size in (("whole", None), ("pieces", 2)):
        warm_up(tiny_model, tmp_path / name, plan(steps=2), ModelTraining(micro_batch=size))
    whole, pieces = (load_policy(tmp_path / name).state_dict() for name in ("whole", "pieces"))
    assert all(torch.allclose(whole[key], pieces[key], atol=1e-3) for key in whole)


def test_a_model_is_left_whole_with_its_budget_and_card(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "warm"
    warm_up(tiny_model, folder, plan(steps=1), ModelTraining())
    kept = {file.name for file in tiny_model.iterdir()}
    assert {file.name for file in folder.iterdir()} == kept | {"warm_up.json"}
    card = (folder / "README.md").read_text()
    assert "| boxed | 3 | 1 |\n| plain | 1 | 0.5 |" in card
    assert card.startswith((tiny_model / "README.md").read_text())
    own = "generation_config.json"  # the supervised trainer writes other stop tokens into it
    assert (folder / own).read_bytes() == (tiny_model / own).read_bytes()


# as a stage


@pytest.fixture
def warmed(project: Project) -> Project:
    """A project whose models.yaml has a model with a warm-up of one step."""
    entry = {"path": "model", "warm_up": plan(steps=1).model_dump()}
    entries = {"tiny": {"path": "model"}, "warm": entry}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entries))
    return project


def test_prepare_warms_up_once(warmed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(warmed.root, "warm")
    before = (folder / "warm_up.json").stat().st_mtime_ns
    assert prepare(warmed.root, "warm") == folder
    assert (folder / "warm_up.json").stat().st_mtime_ns == before
    assert not [each for each in folder.parent.iterdir() if each.is_dir() and each != folder]
    cold = load_policy(prepare(warmed.root, "tiny")).state_dict()
    warm = load_policy(folder).state_dict()
    assert not all(torch.equal(cold[key], warm[key]) for key in cold)


def test_an_interrupted_warm_up_leaves_nothing(
    warmed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.training.warm_up._complete", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(warmed.root, "warm")
    models = warmed.root / "results" / "models"
    assert [each for each in models.iterdir() if each.is_dir()] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_model_for_gpus_is_not_warmed_up_without_one(
    warmed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    entry = {"path": "model", "warm_up": plan(steps=1).model_dump(), "resources": {"gpus": 1}}
    (warmed.root / "models.yaml").write_text(yaml.safe_dump({"warm": entry}))
    with pytest.raises(CrosstalkError, match=r"warm: warm_up: needs a GPU \(resources.gpus: 1\)"):
        prepare(warmed.root, "warm")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert (prepare(warmed.root, "warm") / "warm_up.json").is_file()


def test_its_budget_is_in_the_provenance(warmed: Project) -> None:
    cell = warmed.cell(models={"warm": None})
    cell = next(each for each in cell.study.cells if each.model == "warm")
    folder = prepare(warmed.root, "warm")
    params = _params(cell)
    budget = json.loads((folder / "warm_up.json").read_text())
    assert params["warm_up.steps"] == "1"
    assert {key: params[f"warm_up.{key}"] for key in ("tokens", "examples", "seconds")} == {
        key: str(budget[key]) for key in ("tokens", "examples", "seconds")
    }
    assert params["warm_up.device"] == "cpu"
    assert not any(
        key.startswith("warm_up.")
        for key in _params(next(each for each in cell.study.cells if each.model == "tiny"))
    )


def test_every_setting_is_part_of_the_models_identity() -> None:
    given = plan().model_dump()
    changes: dict[str, Any] = {
        "parameters": {"suffix": "Box it."},
        "problems": 100,
        "steps": 7,
        "batch": 5,
        "learning_rate": 1e-3,
        "seed": 1,
        "styles": {"boxed": {"share": 1.0}},
    }
    assert changes.keys() == WarmUp.model_fields.keys() - {"task"}
    variants = [given, *(given | {key: value} for key, value in changes.items())]
    models = {
        str(number): parse(ModelSpec, {"recipe": "tiny-qwen2-base", "warm_up": each}, "m")
        for number, each in enumerate(variants)
    }
    models["cold"] = ModelSpec(recipe="tiny-qwen2-base")
    assert len({model_digest(models, name, Path()) for name in models}) == len(models)
    names = {path.name for path in model_sources(models["0"])}
    assert {"warm_up.py", "worked.py", "words.py", "word_kinds.py"} <= names


def test_the_users_own_problems_are_part_of_it(tmp_path: Path) -> None:
    given = plan(task="gsm8k", parameters={"path": str(tmp_path)}).model_dump()
    models = {"m": parse(ModelSpec, {"path": "model", "warm_up": given}, "m")}
    (tmp_path / "train.jsonl").write_text("{}\n")
    before = model_digest(models, "m", tmp_path)
    (tmp_path / "more.jsonl").write_text("{}\n")
    assert model_digest(models, "m", tmp_path) != before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"task": "arithmetic"}, "warm_up: unknown task with worked answers 'arithmetic'"),
        ({"parameters": {"sufix": ""}}, "warm_up: .*sufix"),
        ({"problems": 10**6}, "warm_up: task 'words': train: expected 1 to 896000 problems"),
    ],
)
def test_a_warm_up_that_cannot_be_is_refused(
    warmed: Project, changes: dict[str, Any], expected: str
) -> None:
    entry = {"path": "model", "warm_up": plan().model_dump() | changes}
    (warmed.root / "models.yaml").write_text(yaml.safe_dump({"tiny": entry}))
    with pytest.raises(CrosstalkError, match=f"^models.yaml: tiny: {expected}"):
        warmed.study()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"styles": {}}, "warm_up.styles: expected at least one entry"),
        ({"styles": {"box": {"share": 1.0}}}, "unknown style 'box'; did you mean 'boxed'"),
        ({"styles": {"boxed": {"share": 0.0}}}, "styles.boxed.share: expected more than 0"),
        ({"styles": {"boxed": {"share": 1.0, "right": 2.0}}}, "right: expected at most 1"),
        ({"steps": 0}, "warm_up.steps: expected more than 0, got 0"),
        ({"step": 1}, "warm_up: unknown key 'step'; did you mean 'steps'"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    entry = {"path": "model", "warm_up": plan().model_dump() | changes}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"tiny": entry}))
    with pytest.raises(CrosstalkError, match=expected) as caught:
        load_models(tmp_path)
    assert "\n" not in str(caught.value)
