"""The model axis: an entry of ``models.yaml`` becomes an ordinary model folder.

Importing this module is cheap; torch and transformers are imported where they are used.
"""

import os
import re
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from benchmark.errors import CrosstalkError, unknown
from benchmark.files import replacing
from benchmark.fingerprint import content_digest, digest, import_closure, modules
from benchmark.model_shape import Shape
from benchmark.model_training import ModelTraining
from benchmark.policies import (
    TOKENIZERS,
    check_model_folder,
    load_policy,
    load_tokenizer,
    render_prompt,
)
from benchmark.project import model_folder, relative
from benchmark.tiny_recipes import RECIPES
from benchmark.validation import parse, read_yaml

__all__ = [
    "ModelSpec",
    "Resources",
    "check_model_folder",
    "load_models",
    "load_policy",
    "load_tokenizer",
    "model_sources",
    "prepare_model",
    "render_prompt",
]

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_KEPT = (
    *_WEIGHTS,
    *TOKENIZERS,
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
    "README.md",
    "LICENSE*",
)
_NOT_KEPT = ("*/*", "consolidated*")  # other formats' copies of the same weights
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Positive = Annotated[int, Field(ge=1)]
UNSET = "unset"  # in place of a revision that whoever uses the model has to choose


class Resources(BaseModel):
    """What one job with the model needs; the workflow asks the machine or the cluster for it.

    Attributes:
        memory_mb: Main memory.
        runtime_minutes: After which a cluster may end the job.
        gpus: GPUs that training takes, a process each; other stages take one of them.
        parallelism: How several share the training: ``ddp``, each holds the whole policy, or
            ``fsdp2``, each holds a part of it.
        vllm_memory: The share of a GPU's memory that vLLM takes beside the training.
        vllm_server: The address of the server of vLLM that holds the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_mb: Positive = 2000
    runtime_minutes: Positive = 60
    gpus: Annotated[int, Field(ge=0)] = 0
    parallelism: Literal["ddp", "fsdp2"] = "ddp"
    vllm_memory: Annotated[float, Field(gt=0, lt=1)] = 0.3
    vllm_server: Annotated[str, Field(pattern=r"^https?://[\w.:\[\]-]+/?$")] | None = None


class ModelSpec(BaseModel):
    """One entry of ``models.yaml``: exactly one of ``recipe``, ``hub`` and ``path`` is given.

    Attributes:
        recipe: A tiny model of ``benchmark.tiny_recipes.RECIPES``.
        hub: A repository of the Hugging Face hub, ``owner/name``; ``revision`` pins its commit,
            or is ``unset`` until somebody who uses the model chooses one.
        path: A folder, relative to the project's root.
        chat_template: Jinja text in place of the tokenizer's own; empty for none at all.
        trust_remote_code: Whether Python files that come with the model are kept, and run.
        training: How it is trained: LoRA, precision, memory against time.
        shape: How large it is, for what is reckoned before it is downloaded.
        resources: What a job with the model needs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str | None = None
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Annotated[str, Field(pattern=rf"^([0-9a-f]{{40}}|{UNSET})$")] | None = None
    path: Annotated[str, Field(min_length=1)] | None = None
    chat_template: str | None = None
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
        given = [key for key in ("recipe", "hub", "path") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"found {found}, exactly one of recipe, hub and path is allowed")
        if self.hub is not None and self.revision is None:
            raise ValueError("hub needs a revision: the commit to use, 40 hex digits")
        if self.hub is None and self.revision is not None:
            raise ValueError(f"revision goes with hub only, found it with {given[0]}")
        return self

    @property
    def bases(self) -> tuple[str, ...]:
        """The ids of the models that have to be prepared before this one."""
        base = RECIPES[self.recipe].base if self.recipe is not None else None
        return () if base is None else (base,)


def load_models(root: Path) -> dict[str, ModelSpec]:
    """Return the entries of ``models.yaml`` below ``root``, in the order of the file.

    Raises:
        CrosstalkError: The file is missing or anything in it is wrong.
    """
    path = root / "models.yaml"
    models = {}
    for name, entry in read_yaml(path).items():
        where = f"{relative(path)}: {name}"
        if not _ID.fullmatch(name):
            allowed = "letters and digits first, then also '.', '_' and '-': ids name folders"
            raise CrosstalkError(f"{where}: the id is not allowed, allowed are {allowed}")
        models[name] = parse(ModelSpec, entry, where)
    for name, spec in models.items():
        for base in spec.bases:
            if base not in models:
                raise CrosstalkError(
                    f"{relative(path)}: {name}: is tuned from {base!r}, which has no entry here"
                )
    return models


def model_digest(models: Mapping[str, ModelSpec], name: str, root: Path) -> str:
    """Return the digest of what determines a prepared model: entry, bases, recipe, files.

    Args:
        models: The entries of ``models.yaml``.
        name: The model's id.
        root: The project's root, which a ``path`` is relative to.
    """
    spec = models[name]
    specification = {
        "entry": spec.model_dump(exclude={"resources", "training", "shape"}),
        "bases": [model_digest(models, base, root) for base in spec.bases],
        "files": _contents(root / spec.path, spec) if spec.path is not None else {},
    }
    return digest(specification, model_sources(spec))


def _contents(folder: Path, spec: ModelSpec) -> dict[str, str]:
    """Return the digests of a model's own files; those of a folder that is not there are none."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.name: content_digest(file.resolve()) for file in files if _is_kept(file, spec)}


def model_sources(spec: ModelSpec) -> set[Path]:
    """Return the source files that determine a prepared model: the recipes', if it has one."""
    if spec.recipe is None:
        return set()
    return import_closure(*modules("tiny_models.py"))


def prepare_model(name: str, spec: ModelSpec, folder: Path, root: Path) -> None:
    """Write the model as one ordinary folder: config, tokenizer, safetensors weights.

    Args:
        name: The model's id.
        spec: Its entry.
        folder: Where it goes; replaced in one step, untouched if anything fails.
        root: The project's root: ``path`` is relative to it, and bases are looked for in it.

    Raises:
        CrosstalkError: The base is not prepared, the hub or the revision cannot be reached, files
            are missing, or the chat template is not valid.
    """
    if spec.recipe is not None:
        base = _base_folder(name, spec, root)
        from benchmark.tiny_models import build

        with replacing(folder) as scratch:
            build(spec.recipe, scratch, base)
            _set_chat_template(name, spec, scratch)
        return
    source = root / spec.path if spec.path is not None else _download(name, spec)
    check_model_folder(source)
    with replacing(folder) as scratch:
        scratch.mkdir()
        for file in sorted(source.iterdir()):
            if _is_kept(file, spec):
                _take(file.resolve(), scratch / file.name, spec)
        _set_chat_template(name, spec, scratch)


def _base_folder(name: str, spec: ModelSpec, root: Path) -> Path | None:
    for base in spec.bases:
        folder = model_folder(root, base)
        if not folder.is_dir():
            raise CrosstalkError(f"model {name!r} is tuned from {base!r}: prepare that one first")
        check_model_folder(folder)
        return folder
    return None


def _kept_patterns(spec: ModelSpec) -> list[str]:
    return [*_KEPT, *(["*.py"] if spec.trust_remote_code else [])]


def _is_kept(file: Path, spec: ModelSpec) -> bool:
    unwanted = any(fnmatch(file.name, pattern) for pattern in _NOT_KEPT)
    return (
        file.is_file()
        and not unwanted
        and any(fnmatch(file.name, pattern) for pattern in _kept_patterns(spec))
    )


def _take(source: Path, target: Path, spec: ModelSpec) -> None:
    """Copy a file; weights in the hub's cache, which nobody edits, are hard-linked if possible."""
    if spec.hub is not None and source.suffix == ".safetensors":
        try:
            os.link(source, target)
            return
        except OSError:  # another file system
            pass
    shutil.copyfile(source, target)


def check_pinned(name: str, spec: ModelSpec) -> None:
    """Refuse a model of the hub whose entry leaves its commit to the user.

    Raises:
        CrosstalkError: It does.
    """
    if spec.revision == UNSET:
        raise CrosstalkError(
            f"models.yaml: {name}: revision: found {UNSET!r}, allowed is the commit of {spec.hub} "
            "to use, 40 hex digits; its page lists them, choose one with safetensors weights"
        )


def cached_snapshot(spec: ModelSpec) -> Path | None:
    """Return the hub's snapshot of a model in the user's cache; None if it is not whole there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(str(spec.hub), revision=spec.revision, local_files_only=True)
        check_model_folder(Path(found))
    except (LocalEntryNotFoundError, CrosstalkError):
        return None
    return Path(found)


def _download(name: str, spec: ModelSpec) -> Path:
    """Return the hub's snapshot in the user's cache; works offline once it is there."""
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    check_pinned(name, spec)
    try:
        snapshot = snapshot_download(
            str(spec.hub),
            revision=spec.revision,
            allow_patterns=_kept_patterns(spec),
            ignore_patterns=list(_NOT_KEPT),
        )
    except (OSError, HTTPError, HFValidationError) as error:
        snapshot = cached_snapshot(spec)  # of the same commit: the hub has nothing to add
        if snapshot is not None:
            return snapshot
        raise CrosstalkError(
            f"model {name!r}: {spec.hub} at revision {spec.revision} cannot be downloaded: {error}"
        ) from error
    return Path(snapshot)


def _set_chat_template(name: str, spec: ModelSpec, folder: Path) -> None:
    if spec.chat_template is None:
        return
    from jinja2 import TemplateError

    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = spec.chat_template or None
    try:
        render_prompt(tokenizer, "2 + 2")
    except TemplateError as error:
        raise CrosstalkError(f"model {name!r}: chat_template: {error}") from error
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
