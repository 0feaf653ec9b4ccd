from pathlib import Path

import pytest
import torch
from reward_models import build_reward_model

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.classifier import Classifier
from benchmark.objectives.scorer import load_scorer

TEXTS = [" The answer is 7 .", " 7", "", " no"]
LABELS = {"num_labels": 3, "id2label": {0: "toxic", 1: "neutral", 2: "odd"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reward_model(tmp_path_factory.mktemp("classes"), chat=True, **LABELS)


def rewards(objective: Classifier, question: str = "?") -> list[float]:
    ids, count = [[0]] * len(TEXTS), len(TEXTS)
    return objective(completions=TEXTS, completion_ids=ids, question=[question] * count)


def test_it_is_the_models_own_probability(folder: Path) -> None:
    scorer = load_scorer(folder, "cpu", "float32", False)
    found = rewards(Classifier(str(folder), "neutral", device="cpu", batch_size=1))
    for text, reward in zip(TEXTS, found, strict=True):
        ids = scorer.tokenizer(text)["input_ids"] or [scorer.model.config.pad_token_id]
        with torch.inference_mode():
            logits = scorer.model(torch.tensor([ids])).logits[0].double()
        assert reward == pytest.approx(float(logits.softmax(0)[1]), abs=1e-6)


def test_the_probabilities_of_all_classes_add_up(folder: Path) -> None:
    each = [rewards(Classifier(str(folder), label)) for label in ("toxic", 1, 2)]
    assert [sum(values) for values in zip(*each, strict=True)] == pytest.approx([1.0] * len(TEXTS))


def test_the_question_plays_no_part(folder: Path) -> None:
    objective = Classifier(str(folder), 0)
    assert rewards(objective, "What is 3 + 4 ?") == rewards(objective, "Who is there ?")


def test_a_model_of_one_output_has_no_classes(tmp_path: Path) -> None:
    folder = build_reward_model(tmp_path / "one")
    with pytest.raises(CrosstalkError, match="label: expected a model of two or more classes in "):
        Classifier(str(folder), 0).check()


def test_no_class_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="label: expected a class's name or index, got noth"):
        Classifier("m", None)  # type: ignore[arg-type]
