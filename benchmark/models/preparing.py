"""Make an ordinary model folder from an entry of ``models.yaml``.

Importing this module is cheap; torch and transformers are imported where they are used.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import link_or_copy, replacing
from benchmark.common.fingerprint import content_digest, digest, import_closure, modules
from benchmark.common.hub import HubNeed, cached_snapshot, download_snapshot
from benchmark.common.paths import model_folder
from benchmark.models.entry import ModelSpec, check_pinned
from benchmark.models.fitting import check_code, check_source, check_vocabulary
from benchmark.models.gguf import convert
from benchmark.models.gguf_source import gguf_file
from benchmark.models.policy.loading import TOKENIZERS, check_model_folder, load_tokenizer
from benchmark.models.policy.tokens import render_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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


def model_digest(models: Mapping[str, ModelSpec], name: str, root: Path) -> str:
    """Return the digest of what determines a prepared model: entry, bases, recipe, files."""
    spec = models[name]
    recipe = spec.tiny_recipe
    specification = {
        "entry": spec.model_dump(exclude=_not_digested(spec)),
        "bases": [model_digest(models, base, root) for base in spec.bases],
        "files": _contents(root / spec.path, spec) if spec.path is not None else {},
        **({} if recipe is None else {"recipe": recipe.plain()}),
    }
    if spec.warm_up is not None:
        specification["taught"] = spec.warm_up.made_task().contents()
    return digest(specification, model_sources(spec))


def _not_digested(spec: ModelSpec) -> set[str]:
    """Return the keys of an entry that do not determine the folder; no values of it are none."""
    optional = ("chat_template_kwargs", "gguf", "warm_up")  # came later: without them, digests stay
    unset = {key for key in optional if not getattr(spec, key)}
    # A recipe is digested as what it says, not as its name and the seed in place of its own.
    return {"resources", "training", "shape", "recipe", "seed"} | unset


def _contents(folder: Path, spec: ModelSpec) -> dict[str, str]:
    """Return the digests of a model's own files; none of a folder that is missing."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.name: content_digest(file.resolve()) for file in files if _is_kept(file, spec)}


def model_sources(spec: ModelSpec) -> set[Path]:
    """Return the source files that determine a prepared model: those that make its weights."""
    recipe = modules("models.tiny.build") if spec.recipe is not None else []
    gguf = modules("models.gguf") if spec.gguf is not None else []
    warm_up = modules("training.warm_up") if spec.warm_up is not None else []
    return import_closure(*recipe, *gguf, *warm_up)


def prepare_model(name: str, spec: ModelSpec, folder: Path, root: Path) -> None:
    """Write the model as one ordinary folder: config, tokenizer, safetensors weights.

    It is the model before its warm-up, which is training and not done here. The folder is
    replaced in one step, and untouched if anything fails.

    Raises:
        CrosstalkError: The base is not prepared, the hub or the revision cannot be reached, files
            are missing, or the chat template is not valid.
    """
    recipe = spec.tiny_recipe
    if recipe is not None:
        base = _base_folder(name, spec, root)
        from benchmark.models.tiny.build import build

        with replacing(folder) as scratch:
            build(name, recipe, scratch, base)
            _set_chat_template(name, spec, scratch)
        return
    if spec.gguf is not None:
        file = gguf_file(name, spec.gguf, root)
        with replacing(folder) as scratch:
            convert(name, file, spec.gguf.package, scratch)
            check_model_folder(scratch)
            check_vocabulary(name, scratch)
            _set_chat_template(name, spec, scratch)
        return
    check_source(name, spec, root)
    source = root / spec.path if spec.path is not None else _download(name, spec)
    check_model_folder(source)
    check_code(name, spec, source)
    check_vocabulary(name, source)
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
            raise CrosstalkError(
                f"models.yaml: {name}: expected {base!r}, which it is tuned from, to be prepared"
            )
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
        link_or_copy(source, target)
    else:
        shutil.copyfile(source, target)


def hub_need(spec: ModelSpec) -> HubNeed:
    """Return what a model of the hub reads there."""
    size = None if spec.shape is None else spec.shape.download_gb
    return HubNeed(str(spec.hub), str(spec.revision), "model", size, tuple(_kept_patterns(spec)))


def cached_model(spec: ModelSpec) -> Path | None:
    """Return the hub's snapshot of a model in the user's cache; None if it is not whole there."""
    found = cached_snapshot(hub_need(spec))
    if found is None:
        return None
    try:
        check_model_folder(found)
    except CrosstalkError:
        return None
    return found


def model_places(name: str, spec: ModelSpec, root: Path) -> Iterator[Path]:
    """Yield the folders that may hold a model: the prepared one, its own, the hub's snapshot."""
    yield model_folder(root, name)
    if spec.path is not None:
        yield root / spec.path
    found = cached_model(spec) if spec.hub is not None else None
    if found is not None:
        yield found


def _download(name: str, spec: ModelSpec) -> Path:
    """Return the hub's snapshot in the user's cache; works offline once it is there."""
    check_pinned(name, spec)
    try:
        return download_snapshot(hub_need(spec), _NOT_KEPT)
    except CrosstalkError as error:
        found = cached_model(spec)  # of the same commit: the hub has nothing to add
        if found is None:
            raise CrosstalkError(f"models.yaml: {name}: {error}") from error
        return found


def give_template(name: str, spec: ModelSpec, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Give a tokenizer the chat template of its entry, with the entry's values written into it.

    Whoever renders with it then renders alike: TRL, an engine's server, a script.

    Raises:
        CrosstalkError: There is no template to read the values, or it does not name one of them.
    """
    if spec.chat_template is not None:
        tokenizer.chat_template = spec.chat_template or None
    template, settings = tokenizer.chat_template, ""
    for key, value in spec.chat_template_kwargs.items():
        if not isinstance(template, str) or not re.search(rf"\b{key}\b", template):
            raise CrosstalkError(
                f"models.yaml: {name}: chat_template_kwargs.{key}: expected a variable that the "
                f"chat template reads, which it does not{'' if template else ': there is none'}"
            )
        settings += f"{{% set {key} = {json.dumps(value, ensure_ascii=False)} +%}}"
    if settings:
        tokenizer.chat_template = f"{settings}{template}"


def _set_chat_template(name: str, spec: ModelSpec, folder: Path) -> None:
    if spec.chat_template is None and not spec.chat_template_kwargs:
        return
    from jinja2 import TemplateError

    tokenizer = load_tokenizer(folder)
    give_template(name, spec, tokenizer)
    try:
        render_prompt(tokenizer, "2 + 2")
    except TemplateError as error:
        raise CrosstalkError(f"models.yaml: {name}: chat_template: {error}") from error
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
