"""What was measured of a step, as a table and back."""

from pathlib import Path

import numpy as np
import pandas
from made_up_steps import NAMES, made_up

from benchmark.diagnosis.attribution import gather_evidence, step_metrics
from benchmark.diagnosis.samples import from_frame, to_frame


def test_a_table_gives_every_measurement_back() -> None:
    samples = {0: made_up(0), 20: made_up(1, prompts=3)}
    found = from_frame(to_frame(samples, NAMES), NAMES)
    assert found.keys() == samples.keys()
    for step, sample in samples.items():
        own = found[step]
        assert own.clipped == sample.clipped
        assert own.metrics == sample.metrics
        assert own.predictors.keys() == sample.predictors.keys()
        for key, values in sample.predictors.items():
            np.testing.assert_array_equal(own.predictors[key], values)
        np.testing.assert_array_equal(own.realised[1.0], sample.realised[1.0])
        np.testing.assert_array_equal(own.reward_covariance, sample.reward_covariance)


def test_a_sample_read_back_says_the_same_to_the_last_bit(tmp_path: Path) -> None:
    fresh = made_up(3, prompts=17)
    to_frame({5: fresh}, NAMES).to_parquet(tmp_path / "kept.parquet", index=False)
    back = from_frame(pandas.read_parquet(tmp_path / "kept.parquet"), NAMES)[5]
    assert step_metrics(back, NAMES) == step_metrics(fresh, NAMES)
    found = [
        gather_evidence([s], NAMES, np.random.default_rng(0), clipping=True, resamples=20)
        for s in (fresh, back)
    ]
    for one, other in zip(*(vars(each).values() for each in found), strict=True):
        np.testing.assert_array_equal(one, other)
