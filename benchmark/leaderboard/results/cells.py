"""Describe the cells that a study has, and choose some of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from benchmark.common.errors import unknown


@dataclass(frozen=True)
class ExpectedCell:
    """What a study says of one of its cells.

    Attributes:
        cell_hash: Digest of all that determines its result at present.
        model: The model's id.
        objectives: The objective set's name.
        algorithm: The algorithm's id.
        seed: The training seed.
        names: The objectives of the set, in order.
        weights: Their preference weights.
        reference: Whether it trains one objective alone, as a reference for the others. Its
            algorithm's id then ends in that objective's name.
        mixture: What the model was taught, where models share that: what a tiny one's recipe says;
            empty for others.
        settings: Further settings that have to agree between runs that stand side by side, and
            that are not tracked with them, as text.
        evaluation_only: The objectives that the policy is tested by and not trained on, in order.
        sample: Which of its models it is, where ``model`` is a recipe that several are made from:
            the id in ``models.yaml``. The model's id elsewhere, also if empty.
    """

    cell_hash: str
    model: str
    objectives: str
    algorithm: str
    seed: int
    names: tuple[str, ...]
    weights: tuple[float, ...]
    reference: bool
    mixture: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    evaluation_only: tuple[str, ...] = ()
    sample: str = ""

    @property
    def entry(self) -> str:
        """The id in ``models.yaml``."""
        return self.sample or self.model


def preference_weights(
    expected: Iterable[ExpectedCell], model: str, objectives: str
) -> dict[str, float]:
    """Return the objectives' preference weights of one model and objective set, by name.

    A reference weighs only its own objective, so theirs count only where nothing else was trained,
    and then as none: the result is empty.
    """
    here = (c for c in expected if (c.model, c.objectives) == (model, objectives))
    first = next((cell for cell in here if not cell.reference), None)
    return dict(zip(first.names, first.weights, strict=True)) if first else {}


class Missing(NamedTuple):
    """A cell without a result that counts, and why."""

    cell: str
    why: str


@dataclass(frozen=True)
class Choice:
    """Values of the cells' axes to keep; an empty axis keeps everything."""

    model: Sequence[str] = ()
    objectives: Sequence[str] = ()
    algorithm: Sequence[str] = ()
    seed: Sequence[int] = ()

    def of(self, expected: Mapping[str, ExpectedCell], where: str) -> dict[str, ExpectedCell]:
        """Return the cells that agree with every axis; a value that no cell has is an error."""
        kept = dict(expected)
        for axis, values in self._given().items():
            known = {str(getattr(cell, axis)) for cell in expected.values()}
            for value in values:
                if str(value) not in known:
                    raise unknown(axis, str(value), known, where)
            kept = {name: cell for name, cell in kept.items() if getattr(cell, axis) in values}
        return kept

    def __str__(self) -> str:
        given = self._given().items()
        return ", ".join(f"{axis} {' or '.join(map(str, values))}" for axis, values in given)

    def _given(self) -> dict[str, Sequence[str | int]]:
        return {each.name: values for each in fields(self) if (values := getattr(self, each.name))}
