"""The scales of objectives that are fitted before training, as they lie in a study's folder."""

from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark.common.records import Record


@dataclass(frozen=True)
class Calibration(Record):
    """A fitted scale: two quantiles of the rewards of a model's initial policy.

    Attributes:
        policy: The model's id.
        kind: How rewards are put on the scale.
        quantiles: The two shares.
        fit: The rewards there.
        completions: How many rewards they are quantiles of.
        backend: What drew the completions.
    """

    FILE: ClassVar[str] = "calibration.json"
    MISSING: ClassVar[str] = "not calibrated"
    COMMAND: ClassVar[str] = "calibrate"

    policy: str
    kind: str
    quantiles: list[float]
    fit: list[float]
    completions: int
    backend: str

    @property
    def told(self) -> dict[str, Any]:
        """What is tracked of it with each run that was rewarded on this scale."""
        low, high = self.quantiles
        return {
            "policy": self.policy,
            "kind": self.kind,
            "completions": self.completions,
            "low": {"quantile": low, "reward": self.fit[0]},
            "high": {"quantile": high, "reward": self.fit[1]},
        }
