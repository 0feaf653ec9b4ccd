"""Scalarizers outside the package: installed entry points and ``module:Class``."""

from benchmark.common.plugins import Plugins
from benchmark.scalarizers.base import AdvantageScalarizer, GradientScalarizer, ScoreScalarizer

PLUGINS = Plugins(
    "algorithm",
    "crosstalk.scalarizers",
    (ScoreScalarizer, AdvantageScalarizer, GradientScalarizer),
)
