"""The schema of ``models.yaml``: where a model comes from, how it is trained, what it needs."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, field_validator, model_validator

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.paths import MODELS, SHIPPED, relative
from benchmark.common.settings import Positive, Section, parse, read_yaml
from benchmark.models.shape import Shape
from benchmark.models.tiny.recipes import RECIPES, Recipe
from benchmark.models.training import ModelTraining
from benchmark.models.warming import WarmUp

_RENDERING = ("messages", "tools", "documents", "add_generation_prompt")


def _is_free(name: str) -> str:
    if name in _RENDERING:
        raise ValueError(f"expected a variable of the chat template's own, got {name!r}")
    return name


# A name in Jinja; those that rendering itself sets are no setting.
TemplateName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    AfterValidator(_is_free),
]
TemplateValues = dict[TemplateName, bool | int | FiniteFloat | str]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LEAST = 0.01  # the least share of a GPU
SEEDS = 1000  # more than any training seed of a study whose models have seeds of their own
_SOURCES = ("recipe", "hub", "path", "gguf")
UNSET = "unset"  # in place of a revision that whoever uses the model has to choose


def _whole_or_share(gpus: float) -> int | float:
    """Check a number of GPUs, or a share of one, in hundredths."""
    whole = gpus >= 0 and gpus == int(gpus)
    if not whole and not (LEAST <= gpus < 1):
        raise ValueError(f"expected a whole number of GPUs or a share from {LEAST} up, got {gpus}")
    return int(gpus) if whole else round(gpus, 2)


class Resources(Section):
    """What one job with the model asks the machine or the cluster for.

    Attributes:
        memory_mb: Main memory.
        runtime_minutes: When a cluster may end the job.
        gpus: GPUs that training takes, a process each; other stages take one of them. Below 1, the
            share of one that every stage takes.
        parallelism: How several share the training: ``ddp``, each holds the whole policy, or
            ``fsdp2``, each holds a part of it.
        vllm_share: ``vllm_memory`` in the file: the share of what the job has of a GPU's memory
            that vLLM takes beside the training.
        vllm_server: The address of the server of vLLM that holds the model.
    """

    memory_mb: Positive = 2000
    runtime_minutes: Positive = 60
    gpus: Annotated[int | float, AfterValidator(_whole_or_share)] = 0
    parallelism: Literal["ddp", "fsdp2"] = "ddp"
    vllm_share: Annotated[float, Field(gt=0, lt=1, alias="vllm_memory")] = 0.3
    vllm_server: Annotated[str, Field(pattern=r"^https?://[\w.:\[\]-]+/?$")] | None = None

    @property
    def vllm_memory(self) -> float:
        """The share of a whole GPU's memory that vLLM takes beside the training."""
        return self.vllm_share * (self.gpus if 0 < self.gpus < 1 else 1)


class Gguf(Section):
    """A GGUF file, which is dequantised.

    Attributes:
        file: The file, relative to the project's root, or the name of a file in ``package``.
        sha256: Its checksum; another file is refused.
        package: A package of the package index that holds it, ``name`` or ``name==version``.
    """

    file: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(==[\w.+!]+)?$")] | None = None


class ModelSpec(Section):
    """One entry of ``models.yaml``: one of ``recipe``, ``hub``, ``path`` and ``gguf`` is given.

    Attributes:
        recipe: A tiny model of ``benchmark.models.tiny.recipes.RECIPES``.
        seed: In place of the recipe's own seed: of the initial weights and the corpus. Models of
            one recipe with seeds are a sample of one place in the tables: what varies is the model.
        hub: A repository of the Hugging Face hub, ``owner/name``; ``revision`` pins its commit,
            or is ``unset`` until a user of the model chooses one.
        path: A folder, relative to the project's root.
        gguf: A file of weights in GGUF, the user's own or that of a package.
        warm_up: Supervised training of the model before it is anybody's initial policy.
        chat_template: Jinja text in place of the tokenizer's own; empty for none at all.
        chat_template_kwargs: Values of variables that the chat template reads, such as
            ``enable_thinking: false``.
        trust_remote_code: Whether Python files that come with the model are kept, and run.
        training: How it is trained: LoRA, precision, memory against time.
        shape: How large it is, for estimates before it is downloaded.
        resources: What a job with the model needs.
    """

    recipe: str | None = None
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | None = None
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Annotated[str, Field(pattern=rf"^([0-9a-f]{{40}}|{UNSET})$")] | None = None
    path: Annotated[str, Field(min_length=1)] | None = None
    gguf: Gguf | None = None
    warm_up: WarmUp | None = None
    chat_template: str | None = None
    chat_template_kwargs: TemplateValues = Field(default_factory=dict)
    trust_remote_code: bool = False
    training: ModelTraining = ModelTraining()
    shape: Shape | None = None
    resources: Resources = Resources()

    @field_validator("recipe")
    @classmethod
    def _is_known(cls, recipe: str | None) -> str | None:
        if recipe is not None and recipe not in RECIPES:
            raise ValueError(str(unknown("recipe", recipe, RECIPES)))
        return recipe

    @model_validator(mode="after")
    def _has_one_source(self) -> "ModelSpec":
        given = [key for key in _SOURCES if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"expected exactly one of recipe, hub, path and gguf, got {found}")
        if self.hub is not None and self.revision is None:
            raise ValueError("hub: expected a revision with it, the commit to use: 40 hex digits")
        if self.seed is not None and self.recipe is None:
            raise ValueError(f"seed: expected with recipe only, got it with {given[0]}")
        if self.hub is None and self.revision is not None:
            raise ValueError(f"revision: expected with hub only, got it with {given[0]}")
        return self

    @property
    def tiny_recipe(self) -> Recipe | None:
        """The recipe with the entry's seed; None for a model that is not made from one."""
        if self.recipe is None:
            return None
        recipe = RECIPES[self.recipe]
        return recipe if self.seed is None else replace(recipe, seed=self.seed)

    def unit(self, name: str, seed: int) -> tuple[str, int]:
        """Return under which model and seed the tables show a training seed of entry ``name``.

        Entries that give their recipe a seed are one model there, the recipe's, of which each is a
        sample: seed 3 trained with seed 1 is ``3001``, and ``3000`` with seed 0.
        """
        if self.recipe is None or self.seed is None:
            return name, seed
        return self.recipe, self.seed * SEEDS + seed

    @property
    def bases(self) -> tuple[str, ...]:
        """The ids of the models that have to be prepared before this one."""
        base = RECIPES[self.recipe].base if self.recipe is not None else None
        return () if base is None else (base,)


def load_models(root: Path) -> dict[str, ModelSpec]:
    """Return a project's models: the entries of its ``models.yaml``, then those that we ship.

    An entry of the project takes the place of a shipped one with the same id.

    Raises:
        CrosstalkError: The project's file is missing or anything in it is wrong.
    """
    own = _read_models(root / MODELS)
    shipped = {} if root == SHIPPED else _read_models(SHIPPED / MODELS)
    return own | {name: spec for name, spec in shipped.items() if name not in own}


def _read_models(path: Path) -> dict[str, ModelSpec]:
    models = {}
    for name, entry in read_yaml(path).items():
        where = f"{relative(path)}: {name}"
        if not _ID.fullmatch(name):
            raise CrosstalkError(
                f"{where}: expected an id of letters and digits, and after the first one also '.', "
                "'_' and '-': it names a folder"
            )
        models[name] = parse(ModelSpec, entry, where)
    shown: dict[tuple[str, int], str] = {}
    for name, spec in models.items():
        other = shown.setdefault(spec.unit(name, 0), name)
        if other != name:
            raise CrosstalkError(
                f"{relative(path)}: {name}: expected another recipe or seed than {other!r} has"
            )
    return models


def check_pinned(name: str, spec: ModelSpec) -> None:
    """Refuse a model of the hub whose entry leaves its commit to the user."""
    if spec.revision == UNSET:
        raise CrosstalkError(
            f"models.yaml: {name}: revision: expected the commit of {spec.hub} to use, 40 hex "
            f"digits, got {UNSET!r}; its page lists them, choose one with safetensors weights"
        )
