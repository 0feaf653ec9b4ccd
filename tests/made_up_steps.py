"""A made-up training step, as a diagnosis measures it."""

import numpy as np

from benchmark.diagnosis.samples import KINDS, StepSample, prompt_covariances, reward_covariances

NAMES = ("a", "b")


def made_up(seed: int = 0, prompts: int = 50, *, trade_off: bool = False) -> StepSample:
    """A step at which a gains what b loses: the signal is a's reward alone, whatever b's is."""
    generator = np.random.default_rng(seed)
    rewards = generator.normal(size=(prompts, 8, 2))
    rewards[..., 1] -= rewards[..., 0]
    if trade_off:
        rewards[..., 1] = -2 * rewards[..., 0]
    signal = rewards[..., 0]
    extended = np.concatenate([rewards, signal[..., None]], axis=2)
    predictors = {(kind, 1.0): prompt_covariances(extended, signal) for kind in KINDS}
    covariance = reward_covariances(rewards, rewards)
    noise = 0.1 * generator.normal(size=(prompts, 2))
    metrics = {"step_length": 2.0, "geometry/pl_ratio/score": 0.25}
    realised = {1.0: np.array([0.5, -0.5]) + noise}
    return StepSample(predictors, covariance, realised, {1.0: 0.125}, metrics)
