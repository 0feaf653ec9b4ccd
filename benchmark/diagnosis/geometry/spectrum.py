r"""Compute the singular values of a logit Jacobian, which say how far parameters steer a policy.

For a softmax policy with logits z(θ) and Jacobian Z, :math:`\nabla_\theta J = Z^\top \nabla_z J`,
so :math:`\sigma_{min}^2(Z) \|\nabla_z J\|^2 \le \|\nabla_\theta J\|^2 \le \sigma_{max}^2(Z)
\|\nabla_z J\|^2`, where :math:`\sigma_{min}^2` is the smallest eigenvalue of :math:`Z Z^\top`.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from benchmark.diagnosis.geometry.logit_jacobian import Floats, LogitJacobian, gram_matrix

End = Literal["LA", "SA"]  # ARPACK's names

GRAM_SHARE = 32  # the Gram matrix is written out while it has no more entries than this × P
LARGEST_GRAM = 4096  # and no more rows than this
TOLERANCE = 1e-5  # of eigenvalues, relative: twice that of singular values
PROBES = 32  # random vectors of the traces
KRYLOV = 40  # vectors a Lanczos run holds
PRODUCTS = 2000  # with the Gram matrix, for one end of the spectrum
ROUNDING = 1e4  # rounding errors that an eigenvalue has to exceed to be right to 1e-4


@dataclass(frozen=True)
class Spectrum:
    r"""What is known of the singular values σ of Z (N·V, P).

    Attributes:
        rows: N·V.
        columns: P.
        largest: :math:`\sigma_1`.
        smallest: The smallest of the min(N·V, P) singular values; NaN if it is not known.
        reason: Why it is not; empty if it is.
        frobenius: :math:`\sqrt{\sum \sigma^2}`.
        effective_rank: The participation ratio :math:`(\sum \sigma^2)^2 / \sum \sigma^4` of the
            squared singular values (Gao et al., *A theory of multineuronal dimensionality,
            dynamics and measurement*, https://doi.org/10.1101/214262).
        effective_rank_se: Its standard error; 0 where it is exact.
        entropy_rank: :math:`\exp(-\sum p \log p)`, :math:`p = \sigma / \sum \sigma` (Roy and
            Vetterli, *The effective rank: a measure of effective dimensionality*, EUSIPCO 2007);
            NaN unless all singular values are known.
        exact: Whether all were computed.
        passes: ``forward``, ``backward`` and ``tangent`` passes made, the construction's included.
    """

    rows: int
    columns: int
    largest: float
    smallest: float
    reason: str
    frobenius: float
    effective_rank: float
    effective_rank_se: float
    entropy_rank: float
    exact: bool
    passes: dict[str, int]

    @property
    def condition(self) -> float:
        """σ_max over σ_min; NaN where the latter is not known."""
        return self.largest / self.smallest if self.smallest else math.inf


def spectrum(
    jacobian: LogitJacobian, generator: np.random.Generator, *, products: int = PRODUCTS
) -> Spectrum:
    """Return the spectrum of Z.

    With n = min(N·V, P), the n × n Gram matrix is written out while that takes memory in
    proportion to the parameters alone (:data:`GRAM_SHARE`), at n backward and n tangent passes;
    its eigenvalues are then all known. Otherwise Lanczos iteration (ARPACK) finds both ends, at one
    backward and one tangent pass a product, and random probes the traces.

    A model whose head multiplies hidden states of width H has σ_min = 0 as soon as N·V exceeds V·H
    + (N − H)·H, that is for N > H states when V > H: keep N below the width.

    Args:
        jacobian: Z.
        generator: Draws starting vectors and probes.
        products: With the Gram matrix, at most, for each end of the spectrum.
    """
    size = min(jacobian.shape)
    if size**2 <= GRAM_SHARE * jacobian.shape[1] and size <= LARGEST_GRAM:
        return exact_spectrum(jacobian)
    return lanczos_spectrum(jacobian, generator, products)


def exact_spectrum(jacobian: LogitJacobian) -> Spectrum:
    """Return the spectrum from the Gram matrix written out, of n² entries."""
    size = min(jacobian.shape)
    values = np.linalg.eigvalsh(gram_matrix(size, jacobian.gram)).clip(min=0.0)
    sigma = np.sqrt(values)
    shares = sigma[sigma > 0] / sigma.sum()
    smallest, reason = _resolved(float(values[0]), float(values[-1]), size)
    return Spectrum(
        *jacobian.shape,
        largest=float(sigma[-1]),
        smallest=smallest,
        reason=reason,
        frobenius=float(np.sqrt(values.sum())),
        effective_rank=float(values.sum() ** 2 / (values**2).sum()),
        effective_rank_se=0.0,
        entropy_rank=float(np.exp(-(shares * np.log(shares)).sum())),
        exact=True,
        passes=dict(jacobian.passes),
    )


def lanczos_spectrum(
    jacobian: LogitJacobian, generator: np.random.Generator, products: int = PRODUCTS
) -> Spectrum:
    """Return the spectrum's ends by Lanczos iteration and its moments by random probes."""
    size = min(jacobian.shape)
    operator = LinearOperator((size, size), matvec=jacobian.gram, dtype=np.float64)
    largest = _end(operator, "LA", generator, products)
    smallest = _end(operator, "SA", generator, products)
    value, reason = _resolved(smallest, largest, size)
    if math.isnan(smallest):
        value = math.nan
        reason = f"Lanczos iteration did not converge within {products} products"
    squares, rank, error = _moments(jacobian, generator)
    return Spectrum(
        *jacobian.shape,
        largest=math.sqrt(largest),
        smallest=value,
        reason=reason,
        frobenius=math.sqrt(squares),
        effective_rank=rank,
        effective_rank_se=error,
        entropy_rank=math.nan,
        exact=False,
        passes=dict(jacobian.passes),
    )


def _end(
    operator: LinearOperator, which: End, generator: np.random.Generator, products: int
) -> float:
    """Return the largest (LA) or the smallest (SA) eigenvalue, NaN if it does not converge."""
    size = operator.shape[0]
    krylov = min(KRYLOV, size)
    start = generator.standard_normal(size)
    restarts = max(1, (products - krylov) // max(1, krylov - 1))
    try:
        (value,) = eigsh(
            operator,
            k=1,
            which=which,
            v0=start,
            ncv=krylov,
            maxiter=restarts,
            tol=TOLERANCE,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        return math.nan
    return float(value)


def _resolved(smallest: float, largest: float, size: int) -> tuple[float, str]:
    """Return σ_min and no reason, or NaN and the reason why rounding leaves it unknown."""
    noise = ROUNDING * size * np.finfo(np.float64).eps * largest
    if smallest > noise:
        return math.sqrt(smallest), ""
    return math.nan, f"below {math.sqrt(noise):.2g}, what double precision resolves; it may be 0"


def _moments(jacobian: LogitJacobian, generator: np.random.Generator) -> tuple[float, float, float]:
    r"""Return Σσ², the participation ratio and its standard error.

    Hutchinson's estimator on signs v: :math:`\mathbb{E}\, v^\top K v = \mathrm{tr} K` and
    :math:`\mathbb{E} \|K v\|^2 = \mathrm{tr} K^2`; the ratio's error by the jackknife over probes.
    """
    size = min(jacobian.shape)
    first, second = np.empty(PROBES), np.empty(PROBES)
    for probe in range(PROBES):
        signs: Floats = generator.choice([-1.0, 1.0], size=size)
        image = jacobian.gram(signs)
        first[probe], second[probe] = signs @ image, image @ image
    left_out = [(first.sum() - first) / (PROBES - 1), (second.sum() - second) / (PROBES - 1)]
    ratios = left_out[0] ** 2 / left_out[1]
    error = math.sqrt((PROBES - 1) * float(ratios.var()))
    return float(first.mean()), float(first.mean() ** 2 / second.mean()), error
