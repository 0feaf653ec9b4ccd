"""What a budget of trials is worth: the expected best of some of them."""

from math import comb

import numpy as np
from numpy.typing import ArrayLike

from benchmark.interference.intervals import Floats


def expected_best(scores: ArrayLike) -> Floats:
    r"""Return the expected highest score of k of the K trials, for k = 1 to K: (K,) -> (K,).

    Of all subsets of k trials, each as likely, the highest is the i-th lowest score of all in
    :math:`\binom{i-1}{k-1}` of :math:`\binom{K}{k}`:

    .. math::
        E_k = \sum_{i=k}^{K} \binom{i-1}{k-1} x_{(i)} \Big/ \binom{K}{k}

    where :math:`x_{(1)} \le \dots \le x_{(K)}` are the scores in order. :math:`E_1` is their mean,
    :math:`E_K` their maximum. It is without bias for the trials drawn, in contrast to the form with
    replacement of `Show Your Work <https://arxiv.org/abs/1909.03004>`_ (Dodge et al., 2019), whose
    bias `Showing Your Work Doesn't Always Work <https://arxiv.org/abs/2004.13705>`_ (Tang et al.,
    2020) shows. A trial that failed (NaN) counts as the lowest of the others.

    Args:
        scores: Of K trials, higher is better.

    Raises:
        ValueError: There is no score, or none but NaN.
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or np.isnan(values).all():
        raise ValueError("expected best: expected at least one score that is a number")
    ordered = np.sort(np.where(np.isnan(values), np.nanmin(values), values))
    total = len(ordered)
    shares = [
        [comb(i - 1, k - 1) / comb(total, k) for i in range(1, total + 1)]
        for k in range(1, total + 1)
    ]
    return np.asarray(np.array(shares) @ ordered)
