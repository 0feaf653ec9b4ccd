"""Show that convergence holds for the scalarised objective alone.

Each function returns a table whose columns its docstring names.
"""

import numpy as np
import pandas

from benchmark.diagnosis.exact.bounds import Bound, ascend, regularised_bound, unregularised_bound
from benchmark.diagnosis.exact.problems import centred, covariance, expectation, random_problems

# Two objectives and three completions. The score's best completion has nothing for the second
# objective, whose own best completion is the score's second best.
EXAMPLE_REWARDS = np.array([[[1.0, 0.0], [0.0, 0.9], [0.2, 0.2]]])  # (P=1, Y=3, M=2)
EXAMPLE_WEIGHTS = np.array([0.5, 0.5])
EXAMPLE_STEP_SIZE, EXAMPLE_STEPS = 1.0, 3000
SLACK = 1e-9  # relative rounding error of a bound's sides


def bounds(count: int, generator: np.random.Generator) -> pandas.DataFrame:
    """Check the PL bounds on random states, some with policies close to deterministic.

    Numbers of actions from 2 to 10, logits of a standard deviation from 0.1 to 30, temperatures
    from 0.01 to 10, normal rewards.

    Returns:
        A row per ``bound``: number of ``problems``, of ``violations``, and the ``smallest_ratio``
        of its sides where the right one is not zero.
    """
    sides: dict[str, list[Bound]] = {"unregularised": [], "entropy-regularised": []}
    for actions in range(2, 11):
        shape = (-(-count // 9), actions)
        scale = 10 ** generator.uniform(-1, 1.5, size=(shape[0], 1))
        logits = scale * generator.normal(size=shape)
        rewards = generator.normal(size=shape)
        sides["unregularised"].append(unregularised_bound(logits, rewards))
        for own, reward, temperature in _by_temperature(logits, rewards, generator):
            bound = regularised_bound(own, reward, temperature)
            sides["entropy-regularised"].append(bound)
    rows = []
    for name, found in sides.items():
        left, right = (np.concatenate([bound[side] for bound in found]) for side in (0, 1))
        ratio = left[right > 0] / right[right > 0]
        row = {
            "bound": name,
            "problems": len(left),
            "violations": int(np.sum(ratio < 1 - SLACK)),
            "smallest_ratio": ratio.min(),
        }
        rows.append(row)
    return pandas.DataFrame(rows)


def _by_temperature(
    logits: np.ndarray, rewards: np.ndarray, generator: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Split states among 10 random temperatures."""
    temperatures = 10 ** generator.uniform(-2, 1, size=10)
    parts = zip(np.array_split(logits, 10), np.array_split(rewards, 10), temperatures, strict=True)
    return [(own, reward, float(temperature)) for own, reward, temperature in parts]


def optimum(count: int, generator: np.random.Generator) -> pandas.DataFrame:
    """Compare each objective at the scalarised optimum with its initial value, on random problems.

    Returns:
        A row per ``objectives`` class (all, and those whose initial covariance with the score is
        positive or negative): number of ``pairs`` of problem and objective and the share that ends
        below where it began, ``falls``.
    """
    problems = random_problems(count, generator)
    policy, rewards, scores = problems.policy, problems.rewards, problems.scores
    best = (scores == scores.max(axis=-1, keepdims=True)).astype(float)
    falls = expectation(best, centred(policy, rewards)) < 0
    law = covariance(policy, rewards, scores)
    classes = {"all": law == law, "positive covariance": law > 0, "negative covariance": law < 0}
    return pandas.DataFrame(
        {"objectives": name, "pairs": int(mine.sum()), "falls": falls[mine].mean()}
        for name, mine in classes.items()
    )


def example() -> pandas.DataFrame:
    """Follow the vanilla gradient of a scalarised objective from the uniform policy.

    Returns:
        A row per ``step``: ``score``, ``objective_1``, ``objective_2`` (values J),
        ``covariance_1``, ``covariance_2`` (with the score), ``mass`` (on the score's optimal
        completion), ``gradient`` and ``bound`` (the sides of the unregularised PL bound).
    """
    path = ascend(
        np.zeros((1, 3)),
        EXAMPLE_REWARDS,
        EXAMPLE_WEIGHTS,
        step_size=EXAMPLE_STEP_SIZE,
        steps=EXAMPLE_STEPS,
    )
    scores = EXAMPLE_REWARDS[0] @ EXAMPLE_WEIGHTS
    bound = unregularised_bound(
        np.log(path.policies[:, 0]), np.broadcast_to(scores, path.policies[:, 0].shape)
    )
    columns = {
        "step": np.arange(EXAMPLE_STEPS + 1),
        "score": path.score,
        "objective_1": path.objectives[:, 0],
        "covariance_1": path.covariances[:, 0],
        "objective_2": path.objectives[:, 1],
        "covariance_2": path.covariances[:, 1],
        "mass": path.mass[:, 0],
        "gradient": bound.gradient,
        "bound": bound.distance,
    }
    return pandas.DataFrame(columns)
