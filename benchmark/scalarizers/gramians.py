"""Norms, cosines and a square root of the Gramian of the gradients. Shapes: M objectives."""

import torch
from torch import Tensor


def norms_and_cosines(gramian: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients' norms (M,) and the cosines between them (M, M), 0 for those of norm 0.

    Solvers see cosines, so that norms of very different sizes cost no digits.
    """
    norms = gramian.diagonal().clamp(min=0.0).sqrt()
    inverse = torch.where(norms > 0, 1 / norms, 0.0)
    return norms, inverse[:, None] * gramian * inverse


def square_root(gramian: Tensor) -> Tensor:
    """Return rows (M, M) whose inner products are the Gramian's: gradients, up to a rotation."""
    values, vectors = torch.linalg.eigh(gramian)
    return vectors * values.clamp(min=0.0).sqrt()
