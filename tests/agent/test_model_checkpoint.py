import json
import math
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from agent.model.checkpoint import BATCH_ELEMENTS, CheckpointError, expected_shapes, load, save
from agent.model.config import KimiVLConfig, PointerConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from vision.moonvit import VisionConfig

VISION = VisionConfig(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    init_pos_emb_height=8,
    init_pos_emb_width=8,
)
TEXT = TextConfig(
    vocab_size=300,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    moe_intermediate_size=16,
    n_routed_experts=4,
    num_experts_per_tok=2,
    kv_lora_rank=16,
    qk_nope_head_dim=8,
    qk_rope_head_dim=8,
    v_head_dim=8,
)
TINY = KimiVLConfig(vision=VISION, text=TEXT, media_placeholder_token_id=299)
BIAS = "language_model.model.layers.1.mlp.gate.e_score_correction_bias"
HEAD = "language_model.lm_head.weight"

Weights = dict[str, Tensor]


def model(config: KimiVLConfig = TINY) -> KimiVL:
    made = KimiVL(config)
    made.initialize(seed=0)
    with torch.no_grad():
        made.state_dict()[BIAS].copy_(torch.linspace(-0.3337, 0.3339, 4))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(model(), tmp_path)
    return tmp_path


def edit(folder: Path, change: Callable[[Weights], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def edit_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    raw = json.loads((folder / "config.json").read_text())
    change(raw)
    (folder / "config.json").write_text(json.dumps(raw))


def shard(folder: Path, count: int) -> list[Path]:
    """Rewrite a single file as Moonshot publishes it: shards and an index."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = [f"model-{i + 1}-of-{count}.safetensors" for i in range(count)]
    index = {name: files[i % count] for i, name in enumerate(sorted(weights))}
    for file in files:
        save_file({n: weights[n] for n, where in index.items() if where == file}, folder / file)
    text = json.dumps({"metadata": {"total_size": 0}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(text)
    return [folder / file for file in files]


def same(left: KimiVL, right: KimiVL) -> bool:
    a, b = left.state_dict(), right.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# The full-size network, on the meta device.


def test_full_size_counts_are_kimi_vls() -> None:
    shapes = expected_shapes(KimiVLConfig())
    assert len(shapes) == 5652

    def parameters(part: str) -> int:
        return sum(math.prod(shape) for name, shape in shapes.items() if name.startswith(part))

    assert parameters("vision_tower.") == 416_866_032
    assert parameters("multi_modal_projector.") == 30_679_808
    assert parameters("language_model.") == 15_960_110_208
    assert parameters("") == 16_407_656_048
    assert len([name for name in shapes if name.startswith("vision_tower.")]) == 329
    assert len([name for name in shapes if name.startswith("multi_modal_projector.")]) == 6


def published() -> dict[str, tuple[int, ...]]:
    """The names and shapes of Kimi-VL-A3B's files, written out."""
    table: dict[str, tuple[int, ...]] = {"vision_tower.patch_embed.pos_emb.weight": (64, 64, 1152)}

    def biased(name: str, *shape: int) -> None:
        table[f"{name}.weight"], table[f"{name}.bias"] = shape, shape[:1]

    biased("vision_tower.patch_embed.proj", 1152, 3, 14, 14)
    for block in range(27):
        at = f"vision_tower.encoder.blocks.{block}"
        biased(f"{at}.norm0", 1152)
        biased(f"{at}.norm1", 1152)
        biased(f"{at}.wqkv", 3456, 1152)
        biased(f"{at}.wo", 1152, 1152)
        biased(f"{at}.mlp.fc0", 4304, 1152)
        biased(f"{at}.mlp.fc1", 1152, 4304)
    biased("vision_tower.encoder.final_layernorm", 1152)
    biased("multi_modal_projector.pre_norm", 1152)
    biased("multi_modal_projector.linear_1", 4608, 4608)
    biased("multi_modal_projector.linear_2", 2048, 4608)

    def mlp(name: str, inner: int) -> None:
        table[f"{name}.gate_proj.weight"] = table[f"{name}.up_proj.weight"] = (inner, 2048)
        table[f"{name}.down_proj.weight"] = (2048, inner)

    table["language_model.model.embed_tokens.weight"] = (163840, 2048)
    table["language_model.lm_head.weight"] = (163840, 2048)
    table["language_model.model.norm.weight"] = (2048,)
    for layer in range(27):
        at = f"language_model.model.layers.{layer}"
        table[f"{at}.input_layernorm.weight"] = (2048,)
        table[f"{at}.post_attention_layernorm.weight"] = (2048,)
        table[f"{at}.self_attn.q_proj.weight"] = (3072, 2048)
        table[f"{at}.self_attn.kv_a_proj_with_mqa.weight"] = (576, 2048)
        table[f"{at}.self_attn.kv_a_layernorm.weight"] = (512,)
        table[f"{at}.self_attn.kv_b_proj.weight"] = (4096, 512)
        table[f"{at}.self_attn.o_proj.weight"] = (2048, 2048)
        if layer == 0:
            mlp(f"{at}.mlp", 11264)
            continue
        table[f"{at}.mlp.gate.weight"] = (64, 2048)
        table[f"{at}.mlp.gate.e_score_correction_bias"] = (64,)
        mlp(f"{at}.mlp.shared_experts", 2816)
        for expert in range(64):
            mlp(f"{at}.mlp.experts.{expert}", 1408)
    return table


def test_full_size_names_and_shapes_are_kimi_vls() -> None:
    assert expected_shapes(KimiVLConfig()) == published()


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = model()
    torch.manual_seed(2)
    assert same(first, model())
    other = KimiVL(TINY)
    other.initialize(seed=1)
    assert not same(first, other)


# Round trips.


def test_saving_and_loading_changes_no_bit(folder: Path) -> None:
    loaded = load(folder)
    assert same(loaded, model())
    assert loaded.config == TINY
    assert not loaded.training
    assert not any(tensor.is_meta for tensor in loaded.state_dict().values())
    trainable = {name for name, p in loaded.named_parameters() if p.requires_grad}
    assert trainable == {name for name, p in model().named_parameters() if p.requires_grad}
    assert BIAS not in trainable


def test_extensions_and_buffers_survive(tmp_path: Path) -> None:
    vision = VisionConfig(**{**VISION.__dict__, "stem_channels": (8, 8)})
    config = KimiVLConfig(vision, TEXT, 299, PointerConfig(size=16))
    made = model(config)
    made.train()
    made.encode(torch.randn(4, 3, 14, 14), [(2, 2)])  # moves the running statistics
    save(made, tmp_path)
    loaded = load(tmp_path)
    assert same(loaded, made)
    assert loaded.config == config
    counter = "vision_tower.patch_embed.stem.layers.1.num_batches_tracked"
    assert loaded.state_dict()[counter] == 1


def test_shards_equal_the_single_file(folder: Path) -> None:
    before = load(folder)
    shard(folder, 3)
    assert same(load(folder), before)


def test_loaded_weights_do_not_depend_on_the_file(folder: Path) -> None:
    loaded = load(folder)
    (folder / "model.safetensors").write_bytes(b"")
    assert same(loaded, model())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_router_bias_stays_fp32(folder: Path, dtype: torch.dtype) -> None:
    loaded = load(folder, dtype=dtype).state_dict()
    original = model().state_dict()
    assert torch.equal(loaded[BIAS], original[BIAS])
    for name, tensor in loaded.items():
        assert tensor.dtype == (torch.float32 if name == BIAS else dtype)
        assert torch.equal(tensor, original[name].to(tensor.dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_floating_point_file_is_read(folder: Path, dtype: torch.dtype) -> None:
    edit(folder, lambda w: w.update({name: tensor.to(dtype) for name, tensor in w.items()}))
    assert all(tensor.dtype == torch.float32 for tensor in load(folder).state_dict().values())


def test_a_loaded_network_computes_what_the_saved_one_did(folder: Path) -> None:
    ids = torch.tensor([[1, 299, 2, 3]])
    patches = torch.randn(4, 3, 14, 14)
    with torch.no_grad():
        expected = model().eval()(ids, patches, [(2, 2)])
        assert torch.equal(load(folder)(ids, patches, [(2, 2)]), expected)


def test_published_rotary_tables_are_ignored(folder: Path) -> None:
    name = "language_model.model.layers.0.self_attn.rotary_emb.inv_freq"
    edit(folder, lambda w: w.update({name: torch.ones(4)}))
    assert same(load(folder), model())


def test_an_interrupted_save_leaves_the_old_checkpoint(folder: Path) -> None:
    other = model()
    with torch.no_grad():
        other.state_dict()[BIAS].zero_()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # fails like a full disk
    try:
        with pytest.raises(CheckpointError, match="the old file is kept"):
            save(other, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert same(load(folder), model())


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot write"):
        save(model(), tmp_path / "file" / "model")


# Broken checkpoints.


def test_all_wrong_names_and_shapes_are_listed_at_once(folder: Path) -> None:
    def damage(weights: Weights) -> None:
        del weights["vision_tower.patch_embed.proj.bias"], weights[BIAS]
        weights["mm_projector.proj.0.weight"] = torch.zeros(2)
        weights[HEAD] = torch.zeros(301, 32)
        weights["language_model.model.norm.weight"] = torch.zeros(32, dtype=torch.int8)

    edit(folder, damage)
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    message = str(caught.value)
    assert "2 missing" in message
    assert "vision_tower.patch_embed.proj.bias" in message
    assert BIAS in message
    assert "1 unexpected" in message
    assert "mm_projector.proj.0.weight" in message
    assert f"{HEAD}: expected [300, 32], actually [301, 32]" in message
    assert "language_model.model.norm.weight: I8" in message


def test_faults_are_found_before_weights_are_read(folder: Path) -> None:
    edit(folder, lambda w: (w.pop(HEAD), w[BIAS].fill_(math.nan)))
    with pytest.raises(CheckpointError, match="1 missing"):
        load(folder)


def test_a_long_list_is_cut(folder: Path) -> None:
    edit_config(folder, lambda raw: raw["text_config"].update(n_routed_experts=40))
    with pytest.raises(CheckpointError, match="… and 88 more"):
        load(folder)


def test_a_config_of_another_depth_is_named(folder: Path) -> None:
    edit_config(folder, lambda raw: raw["vision_config"].update(num_hidden_layers=3))
    with pytest.raises(CheckpointError, match=r"12 missing:\n.*blocks\.2\.mlp"):
        load(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_are_not_finite_are_refused(
    folder: Path, value: float, dtype: torch.dtype
) -> None:
    def poison(weights: Weights) -> None:
        weights[HEAD] = weights[HEAD].to(dtype)
        weights[HEAD][7, 3] = value

    edit(folder, poison)
    with pytest.raises(
        CheckpointError, match=r"language_model\.lm_head\.weight has values that are not finite"
    ):
        load(folder)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_cut_file_is_refused(folder: Path, keep: int) -> None:
    file = shard(folder, 3)[1]
    content = file.read_bytes()
    file.write_bytes(content[:keep])
    with pytest.raises(CheckpointError, match=r"2-of-3.safetensors is cut or broken"):
        load(folder)


def test_missing_shards_are_listed(folder: Path) -> None:
    files = shard(folder, 3)
    files[0].unlink()
    files[2].unlink()
    with pytest.raises(CheckpointError, match=r"model-1-of-3.*model-3-of-3"):
        load(folder)


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    files = shard(folder, 2)
    save_file({**load_file(files[0]), **load_file(files[1])}, files[1])
    with pytest.raises(CheckpointError, match="is both in model-1-of-2"):
        load(folder)


@pytest.mark.parametrize(
    "index", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": "../x.safetensors"}}']
)
def test_a_broken_index_is_refused(folder: Path, index: str) -> None:
    shard(folder, 2)
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json"):
        load(folder)


def test_a_folder_without_weights_or_config_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="converted to safetensors"):
        load(folder)
    with pytest.raises(CheckpointError, match=r"expected config\.json"):
        load(folder / "nowhere")


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"model_type": "llava"}, "model_type must be 'kimi_vl', actually: 'llava'"),
        ({"text_config": {"q_lora_rank": 1536}}, "q_lora_rank"),
        ({"vision_config": {"hidden_size": "wide"}}, "config.json"),
        ({"vision_config": {"num_attention_heads": 0}}, "config.json"),
        ({"text_config": {"hidden_size": "wide"}}, "config.json"),
        ({"text_config": {"num_hidden_layers": 1.5}}, "config.json"),
        ({"text_config": {"hidden_size": -1}}, "config.json"),
        ({"vision_config": {"hidden_size": 33, "num_attention_heads": 2}}, "head"),
    ],
)
def test_another_architecture_is_refused(folder: Path, config: dict[str, Any], fault: str) -> None:
    edit_config(folder, lambda raw: raw.update(config))
    with pytest.raises(CheckpointError, match=fault):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_a_broken_config_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(folder)


MEASURE = """
import sys
from agent.model.checkpoint import load

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

load(sys.argv[1])
before = peak()
model = load(sys.argv[2])
size = sum(t.numel() * t.element_size() for t in model.state_dict().values()) / 1024
largest = max(t.numel() * t.element_size() for t in model.state_dict().values()) / 1024
print(peak() - before, size, largest)
"""


def test_loading_needs_little_more_than_the_network(folder: Path, tmp_path: Path) -> None:
    wide = TextConfig(**{**TEXT.__dict__, "n_routed_experts": 96, "moe_intermediate_size": 4096})
    big = tmp_path / "big"
    save(model_of(wide), big)
    output = subprocess.run(
        [sys.executable, "-c", MEASURE, folder, big], capture_output=True, text=True, check=True
    ).stdout
    grown, size, largest = map(float, output.split())
    batch = BATCH_ELEMENTS * 4 / 1024
    assert size > 2 * (batch + largest)
    assert grown < size + batch + 2 * largest + 16_384


def model_of(text: TextConfig) -> KimiVL:
    made = KimiVL(KimiVLConfig(vision=VISION, text=text, media_placeholder_token_id=299))
    made.initialize(seed=0)
    return made
