"""The contract of an objective, as properties of one under test, on made-up completions.

As in a training, it is told of a batch's lengths before it rewards any.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch

from benchmark.common.randomness import separate_stream
from benchmark.objectives import Completion, Objective, completion_text, make_objective
from benchmark.testing.faults import require, upheld

Make = Callable[[], Objective]
Batch = Mapping[str, Sequence[Any]]  # completions, completion_ids and columns, B values each
TEXTS = (
    "7",
    "",
    "Step 1 : 3 + 4 = 7\nStep 2 : done \\boxed{7}",
    "\\boxed{\\frac{1}{2}} or \\boxed{7}",
    "no number at all, but é and 🙂",
    "\\boxed{" * 20,
    "7 " * 200,
    "<think>\n3 + 4\n</think>\n<answer>7</answer>",
)
LENGTHS = ([3, 5, 6], [200, 1, 1, 40])  # tokens of two training batches
INITIAL_TOKENS = 12.5  # the initial policy's mean length


def check_objective(
    objective: str | Callable[..., Objective],
    *,
    parameters: Mapping[str, Any] | None = None,
    completions: Sequence[Completion] = TEXTS,
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Check that an objective keeps every property of :data:`OBJECTIVE_PROPERTIES`.

    Args:
        objective: A name as studies use it (``"module:Class"`` too), a class, or a function of the
            parameters that returns one.
        parameters: Its parameters.
        completions: What to reward, B of them; made-up ones by default.
        columns: Further columns of the data that it reads, B values each; ``question`` and
            ``answer`` are there in any case.

    Raises:
        AssertionError: A property does not hold.
        CrosstalkError: There is no objective of that name, or no such parameter.
    """
    given, label = dict(parameters or {}), getattr(objective, "__name__", str(objective))

    def make() -> Objective:
        if isinstance(objective, str):
            return make_objective(label, objective, given)
        made = objective(**given)
        made.name = getattr(made, "name", label)
        return made

    count = len(completions)
    batch: dict[str, Sequence[Any]] = {
        "question": ["What is 3 + 4?"] * count,
        "answer": ["7"] * count,
        **(columns or {}),
        "completions": list(completions),
        "completion_ids": [list(range(1 + len(completion_text(c)) // 4)) for c in completions],
    }
    make()
    for name, holds in OBJECTIVE_PROPERTIES.items():
        with upheld(label, name):
            holds(make, deepcopy(batch))


def _observed(make: Make) -> Objective:
    """Return one that has seen some of a training."""
    objective = make()
    for lengths in LENGTHS:
        objective.observe(lengths)
    return objective


def _same(found: Sequence[float], expected: Sequence[float], message: str) -> None:
    alike = len(found) == len(expected) and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, expected, strict=True)
    )
    require(alike, f"{message}: {list(found)}, not {list(expected)}")


def _picked(batch: Batch, rows: Sequence[int]) -> dict[str, Sequence[Any]]:
    return {name: [values[row] for row in rows] for name, values in batch.items()}


def _is_an_objective(make: Make, batch: Batch) -> None:
    found = make()
    require(isinstance(found, Objective), f"{found!r} is no Objective")
    require(math.isfinite(found.upper_bound), f"upper_bound is {found.upper_bound!r}")


def _rewards_each(make: Make, batch: Batch) -> None:
    objective = _observed(make)
    rewards = objective(**batch)
    most = objective.upper_bound
    above = [reward for reward in rewards if reward > most]
    require(not above, f"rewards {above} are above its upper_bound, {most:g}")
    require(not all(map(math.isnan, rewards)), "it applies to no completion")


def _rewards_one_as_several(make: Make, batch: Batch) -> None:
    objective = _observed(make)
    together = objective(**batch)
    order = list(reversed(range(len(together))))
    shuffled = objective(**_picked(batch, order))
    _same(shuffled, [together[row] for row in order], "in another order others result")
    alone = [objective(**_picked(batch, [row]))[0] for row in range(len(together))]
    _same(alone, together, "one by one others result")


def _rewards_a_chat_as_its_text(make: Make, batch: Batch) -> None:
    texts = [completion_text(each) for each in batch["completions"]]
    chats = [[{"role": "assistant", "content": text}] for text in texts]
    objective = _observed(make)
    as_chats: dict[str, Sequence[Any]] = {**batch, "completions": chats}
    as_texts: dict[str, Sequence[Any]] = {**batch, "completions": texts}
    _same(objective(**as_chats), objective(**as_texts), "as a conversation others result")


def _changes_nothing(make: Make, batch: Batch) -> None:
    objective, given = _observed(make), deepcopy(batch)
    state = deepcopy(objective.state_dict())
    first = objective(**given)
    require(given == batch, "it changed the completions or columns it was given")
    _same(objective(**batch), first, "called again, it gives others")
    require(objective.state_dict() == state, "a call changed its state")


def _is_deterministic(make: Make, batch: Batch) -> None:
    with separate_stream(1):
        first = _observed(make)(**batch)
    with separate_stream(2):
        before = torch.get_rng_state()
        _same(_observed(make)(**batch), first, "another one gives others")
        require(torch.equal(torch.get_rng_state(), before), "it drew from torch's global stream")


def _restores(make: Make, batch: Batch) -> None:
    original, restored = _observed(make), make()
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))
    _same(restored(**batch), original(**batch), "restored from a checkpoint, it gives others")


def _holds_still_for_evaluation(make: Make, batch: Batch) -> None:
    fixed = [each.for_evaluation(INITIAL_TOKENS) for each in (make(), _observed(make))]
    first = fixed[0](**batch)
    _same(fixed[1](**batch), first, "what training showed it changes its evaluation")
    fixed[0].observe(LENGTHS[0])
    _same(fixed[0](**batch), first, "observing a batch changes its evaluation")


OBJECTIVE_PROPERTIES: dict[str, Callable[[Make, Batch], None]] = {
    "is an objective": _is_an_objective,
    "rewards each completion with at most upper_bound": _rewards_each,
    "a call changes nothing": _changes_nothing,
    "a reward is of its completion alone": _rewards_one_as_several,
    "a conversation is worth its text": _rewards_a_chat_as_its_text,
    "is deterministic": _is_deterministic,
    "state round trips through a file": _restores,
    "holds still for evaluation": _holds_still_for_evaluation,
}
