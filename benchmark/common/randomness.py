"""Keep one random stream apart from another."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def separate_stream(seed: int) -> Iterator[None]:
    """Run the block on its own random streams, seeded with ``seed``.

    Python's, NumPy's and torch's global generators (all devices) are put back afterwards, so that
    the code around the block draws what it would have drawn without it.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
