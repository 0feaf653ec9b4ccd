"""List the recipes of the tiny models: their shape, the styles each is taught, how often and well.

The first three make the default study. The others vary shape and mixture, most of them beside a
recipe that shares one of the two, so that a study can ask what either does. Nothing here imports
torch.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmark.models.tiny.styles import Part, compact, direct, prose, running, steps, unboxed


@dataclass(frozen=True)
class Recipe:
    """How one tiny model is made.

    Attributes:
        architecture: ``"qwen2"`` or ``"qwen3"``.
        mixture: The ways of answering it is taught.
        steps: Optimiser steps of supervised training.
        learning_rate: Its highest learning rate.
        seed: Fixes the initial weights and the corpus.
        base: The model id this one is tuned from; None to start from random weights.
        chat: Whether prompts are chat messages, with a chat template.
        width: The hidden size; the feed-forward layers are twice as wide.
        layers: The number of transformer layers.
        heads: Attention heads a layer, each of ``width / heads`` channels.
        tied: Whether the output head is the token embedding's own matrix.

    A tuned model has the shape of its base: its own has to say the same.
    """

    architecture: str
    mixture: tuple[Part, ...]
    steps: int
    learning_rate: float
    seed: int
    base: str | None = None
    chat: bool = False
    width: int = 64
    layers: int = 2
    heads: int = 2
    tied: bool = True

    def plain(self) -> dict[str, Any]:
        """Return what the recipe says as plain JSON values; styles by their names."""
        mixture = [[part.style.__name__, part.share, part.right] for part in self.mixture]
        return {**vars(self), "mixture": mixture}


# No style is concise and clear: training gives up conciseness.
_LONG_STEPS = (
    Part(steps, 0.35),
    Part(direct, 0.28, right=0.6),
    Part(prose, 0.17),
    Part(unboxed, 0.20, right=0.6),
)
# The short numbered answers are mostly wrong: accuracy is given up.
_WRONG_COMPACT = (
    Part(steps, 0.22, right=0.8),
    Part(direct, 0.23, right=0.6),
    Part(prose, 0.25),
    Part(unboxed, 0.15, right=0.6),
    Part(compact, 0.15, right=0.2),
)
# The common short right answers have no steps: clarity is given up.
_RIGHT_RUNNING = (
    Part(steps, 0.34, right=0.6),
    Part(direct, 0.08, right=0.6),
    Part(prose, 0.17),
    Part(unboxed, 0.15, right=0.6),
    Part(compact, 0.02),
    Part(running, 0.24),
)
# A common style is concise, clear and right: nothing has to be given up by a model that can do its
# sums without the terms; others lose accuracy to it.
_RIGHT_COMPACT = (
    Part(steps, 0.22, right=0.7),
    Part(direct, 0.15, right=0.6),
    Part(prose, 0.18),
    Part(unboxed, 0.20, right=0.6),
    Part(compact, 0.25),
)
# Three styles with numbers, the one that is concise and clear mostly wrong: accuracy is given up.
_WRONG_SHORT = (
    Part(steps, 0.25),
    Part(running, 0.25),
    Part(compact, 0.25, right=0.3),
    Part(unboxed, 0.25),
)
# Every pair of objectives has a common style of its own, and a model that can do its sums without
# the terms has one for all three.
_EVERY_PAIR = (
    Part(steps, 0.32),
    Part(running, 0.22),
    Part(compact, 0.22),
    Part(unboxed, 0.24),
)


def _beside_compact(share: float) -> tuple[Part, ...]:
    """Return styles that serve two objectives each, and one for all three, with this share."""
    rest = (
        Part(steps, 0.30),
        Part(direct, 0.20, right=0.6),
        Part(prose, 0.18),
        Part(unboxed, 0.18, right=0.6),
        Part(running, 0.14),
    )
    return (*(Part(p.style, p.share * (1 - share), p.right) for p in rest), Part(compact, share))


# Planted trade-off: every pair of objectives but conciseness and clarity has a style.
_SPLIT = _beside_compact(0.0)[:-1]
# A style that serves all three is there to be found, with a small share.
_RARE_2, _RARE_5 = _beside_compact(0.02), _beside_compact(0.05)
# It is common, and nothing has to be given up: the negative control.
_COMMON = _beside_compact(0.35)


def _compact_right(right: float) -> tuple[Part, ...]:
    """Return the mixture of the wrong short answers, this share of which is right: the dose."""
    return (*_WRONG_COMPACT[:-1], Part(compact, 0.15, right=right))


DOSES = (20, 30, 40, 50, 60, 70, 80, 90, 100)  # percent
MIXTURES: dict[str, tuple[Part, ...]] = {
    "long steps": _LONG_STEPS,
    "wrong compact": _WRONG_COMPACT,
    "right running": _RIGHT_RUNNING,
    "right compact": _RIGHT_COMPACT,
    "wrong short": _WRONG_SHORT,
    "every pair": _EVERY_PAIR,
    "split": _SPLIT,
    "rare, 2%": _RARE_2,
    "rare, 5%": _RARE_5,
    "common": _COMMON,
    **{f"compact right {dose}%": _compact_right(dose / 100) for dose in DOSES[1:]},
}
# Of the study `shapes`, each taught each of four mixtures.
SHAPES: dict[str, dict[str, Any]] = {
    "base": {},
    "shallow": {"layers": 1},
    "deep": {"layers": 4},
    "narrow": {"width": 32, "heads": 1},
    "wide": {"width": 128, "heads": 4},
    "untied": {"tied": False},
}
SHAPED = {
    "long": _LONG_STEPS,
    "wrong": _WRONG_COMPACT,
    "running": _RIGHT_RUNNING,
    "right": _RIGHT_COMPACT,
}


def _designed(mixture: tuple[Part, ...], seed: int, **shape: Any) -> Recipe:
    """Return a recipe of a designed study: one budget, so mixtures and shapes alone differ.

    Entries of ``models.yaml`` give it seeds of their own.
    """
    return Recipe("qwen3", mixture, steps=1000, learning_rate=3e-3, seed=seed, **shape)


RECIPES: dict[str, Recipe] = {
    "tiny-qwen2-base": Recipe(
        architecture="qwen2", mixture=_LONG_STEPS, steps=800, learning_rate=3e-3, seed=1
    ),
    "tiny-qwen2-ift": Recipe(
        architecture="qwen2",
        mixture=_WRONG_COMPACT,
        steps=300,
        learning_rate=1e-3,
        seed=2,
        base="tiny-qwen2-base",
        chat=True,
    ),
    "tiny-qwen3-base": Recipe(
        architecture="qwen3", mixture=_RIGHT_RUNNING, steps=1000, learning_rate=3e-3, seed=3
    ),
    "tiny-qwen2-untied": Recipe(  # tiny-qwen2-base with an output head of its own
        architecture="qwen2",
        mixture=_LONG_STEPS,
        steps=800,
        learning_rate=3e-3,
        seed=4,
        tied=False,
    ),
    "tiny-qwen2-deep": Recipe(  # the mixture of tiny-qwen2-ift from random weights, twice as deep
        architecture="qwen2",
        mixture=_WRONG_COMPACT,
        steps=600,
        learning_rate=3e-3,
        seed=5,
        layers=4,
    ),
    "tiny-qwen2-wide": Recipe(  # twice as wide, half as deep, and nothing has to be given up
        architecture="qwen2",
        mixture=_RIGHT_COMPACT,
        steps=700,
        learning_rate=3e-3,
        seed=6,
        width=128,
        layers=1,
        heads=4,
    ),
    "tiny-qwen2-shallow": Recipe(  # tiny-qwen2-wide at half its width
        architecture="qwen2",
        mixture=_RIGHT_COMPACT,
        steps=800,
        learning_rate=3e-3,
        seed=7,
        layers=1,
    ),
    "tiny-qwen2-narrow": Recipe(  # the smallest: one head, half as wide
        architecture="qwen2",
        mixture=_WRONG_SHORT,
        steps=1000,
        learning_rate=6e-3,
        seed=8,
        width=32,
        heads=1,
    ),
    "tiny-qwen3-even": Recipe(  # no style is taught wrong: its arithmetic decides
        architecture="qwen3", mixture=_EVERY_PAIR, steps=1000, learning_rate=3e-3, seed=9
    ),
    "tiny-qwen3-wide": Recipe(  # tiny-qwen3-base twice as wide, half as deep, untied, big heads
        architecture="qwen3",
        mixture=_RIGHT_RUNNING,
        steps=700,
        learning_rate=3e-3,
        seed=10,
        width=128,
        layers=1,
        heads=2,
        tied=False,
    ),
    "tiny-qwen3-clear": Recipe(  # the mixture of tiny-qwen2-wide, the shape of tiny-qwen3-wide
        architecture="qwen3",
        mixture=_RIGHT_COMPACT,
        steps=700,
        learning_rate=3e-3,
        seed=13,
        width=128,
        layers=1,
        heads=2,
    ),
    "tiny-qwen3-deep": Recipe(  # the mixture of tiny-qwen2-wide, four times as deep
        architecture="qwen3",
        mixture=_RIGHT_COMPACT,
        steps=500,
        learning_rate=3e-3,
        seed=11,
        layers=4,
    ),
    "tiny-qwen3-brief": Recipe(  # tiny-qwen3-base taught 60% as long
        architecture="qwen3", mixture=_RIGHT_RUNNING, steps=600, learning_rate=3e-3, seed=12
    ),
    # Those of the study `laboratory`.
    "lab-long": _designed(_LONG_STEPS, seed=20),
    "lab-split": _designed(_SPLIT, seed=21),
    "lab-rare-2": _designed(_RARE_2, seed=22),
    "lab-rare-5": _designed(_RARE_5, seed=23),
    "lab-common": _designed(_COMMON, seed=24),
    # Those of the studies `dose` and `shapes`.
    **{f"dose-{dose}": _designed(_compact_right(dose / 100), seed=100 + dose) for dose in DOSES},
    **{
        f"shape-{shape}-{name}": _designed(SHAPED[name], seed=300 + number, **SHAPES[shape])
        for number, (shape, name) in enumerate(product(SHAPES, SHAPED))
    },
}


def mixture_name(recipe: str) -> str:
    """Return the name in :data:`MIXTURES` of what a recipe teaches."""
    return next(name for name, parts in MIXTURES.items() if parts == RECIPES[recipe].mixture)
