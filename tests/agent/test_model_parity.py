"""The network against transformers, which has every part of Kimi-VL under another name.

With one frame per image `Kimi_K25ForConditionalGeneration` is Kimi-VL; its loader takes Kimi-VL's
own tensor names after one renaming of the projector.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    DeepseekV3ForCausalLM,
    Kimi_K25ForConditionalGeneration,
    PreTrainedModel,
)

from agent.model.cache import Cache
from agent.model.checkpoint import load, save
from agent.model.decoder import ABSORB_BELOW, LatentAttention
from agent.model.kimi_vl import KimiVL
from tests.agent.random_network import (
    GRIDS,
    PAD,
    TEXT,
    TOLERANCE,
    VISION,
    assert_same_logits,
    in_chunks,
    network,
    prompt,
    relative,
    words,
)


@torch.no_grad()
def quiet_network() -> KimiVL:
    """What enters the first norms of every part is so small that their epsilons matter."""
    model = network()
    for name, parameter in model.named_parameters():
        if any(
            part in name for part in ("patch_embed", "final_layernorm", "embed_tokens", "kv_a_p")
        ):
            parameter.mul_(1e-3)
    return model


def text_json() -> dict[str, Any]:
    return {
        "model_type": "deepseek_v3",
        **asdict(TEXT),
        "num_key_value_heads": TEXT.num_attention_heads,
        "q_lora_rank": None,
        "n_group": 1,
        "topk_group": 1,
        "num_nextn_predict_layers": 0,
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": False,
    }


def as_k25(model: KimiVL, folder: Path) -> PreTrainedModel:
    """Our weights in transformers' whole network, by way of its checkpoint loader."""
    renamed = {
        name.replace("multi_modal_projector.linear_1", "mm_projector.proj.0")
        .replace("multi_modal_projector.linear_2", "mm_projector.proj.2")
        .replace("multi_modal_projector", "mm_projector"): value
        for name, value in model.state_dict().items()
    }
    vision = {
        "model_type": "kimi_k25_vision",
        **asdict(VISION),
        "pos_emb_height": VISION.init_pos_emb_height,
        "pos_emb_width": VISION.init_pos_emb_width,
    }
    config = {
        "model_type": "kimi_k25",
        "architectures": ["Kimi_K25ForConditionalGeneration"],
        "tie_word_embeddings": False,
        "image_token_id": PAD,
        "video_token_id": TEXT.vocab_size + 1,
        "projection_hidden_size": VISION.hidden_size,
        "vision_config": vision,
        "text_config": text_json(),
    }
    return _pretrained(Kimi_K25ForConditionalGeneration, renamed, config, folder)


def as_deepseek(model: KimiVL, folder: Path) -> PreTrainedModel:
    """Our decoder's weights in transformers' DeepSeek-V3."""
    prefix = "language_model."
    weights = {
        name.removeprefix(prefix): value
        for name, value in model.state_dict().items()
        if name.startswith(prefix)
    }
    config = {**text_json(), "architectures": ["DeepseekV3ForCausalLM"]}
    return _pretrained(DeepseekV3ForCausalLM, weights, config, folder)


def _pretrained(
    kind: Any, weights: dict[str, Tensor], config: dict[str, Any], folder: Path
) -> PreTrainedModel:
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    model, report = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"], report
    assert not report["unexpected_keys"], report
    assert not report["mismatched_keys"], report
    loaded: PreTrainedModel = model.eval()
    return loaded


def k25_logits(theirs: PreTrainedModel) -> Tensor:
    ids, patches = prompt()
    grid_thw = torch.tensor([(1, h, w) for h, w in GRIDS])
    logits: Tensor = theirs(input_ids=ids, pixel_values=patches, image_grid_thw=grid_thw).logits
    return logits


# The whole network.


@torch.no_grad()
def test_the_whole_network_equals_transformers(tmp_path: Path) -> None:
    ours = network()
    save(ours, tmp_path / "ours")
    ids, patches = prompt()
    actual = load(tmp_path / "ours")(ids, patches, GRIDS)
    assert_same_logits(actual, k25_logits(as_k25(ours, tmp_path / "theirs")))


@torch.no_grad()
def test_encoder_and_projector_equal_transformers(tmp_path: Path) -> None:
    ours = network()
    theirs: Any = as_k25(ours, tmp_path / "theirs").model
    _, patches = prompt()
    encoded = ours.encode(patches, GRIDS)
    grid_thw = torch.tensor([(1, h, w) for h, w in GRIDS])
    tower = theirs.vision_tower(patches, grid_thw=grid_thw)
    assert relative(encoded.patches, tower.last_hidden_state) <= TOLERANCE
    features = theirs.get_image_features(patches, grid_thw).pooler_output
    assert relative(encoded.tokens, torch.cat(list(features)).flatten(0, -2)) <= TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize(
    ("norm", "published", "wrong"),
    [
        ("vision_tower.encoder.blocks.0.norm0", 1e-5, 1e-6),
        ("multi_modal_projector.pre_norm", 1e-5, 1e-6),
        ("language_model.model.layers.0.input_layernorm", 1e-5, 1e-6),
        # Not rms_norm_eps: the published class leaves this one at its default.
        ("language_model.model.layers.0.self_attn.kv_a_layernorm", 1e-6, 1e-5),
    ],
)
def test_epsilons_are_the_published_ones(
    tmp_path: Path, norm: str, published: float, wrong: float
) -> None:
    ours: Any = quiet_network()
    ids, patches = prompt()
    expected = k25_logits(as_k25(ours, tmp_path / "theirs"))
    assert ours.get_submodule(norm).eps == published
    assert_same_logits(ours(ids, patches, GRIDS), expected)
    ours.get_submodule(norm).eps = wrong
    assert relative(ours(ids, patches, GRIDS), expected) > 10 * TOLERANCE


@torch.no_grad()
def test_wrong_rope_pairing_fails(tmp_path: Path) -> None:
    """The negative control: pairs (j, j + 8) instead of (2j, 2j + 1) are far off."""
    ours = network()
    expected = k25_logits(as_k25(ours, tmp_path / "theirs"))
    half = TEXT.qk_rope_head_dim // 2
    order = torch.arange(TEXT.qk_rope_head_dim).view(2, half).T.flatten()
    for layer in ours.language_model.model.layers:
        attention = layer.self_attn
        assert isinstance(attention, LatentAttention)
        q = attention.q_proj.weight.unflatten(0, (TEXT.num_attention_heads, -1))
        rope = q[:, TEXT.qk_nope_head_dim :]
        rope.copy_(rope[:, order].clone())
        shared = attention.kv_a_proj_with_mqa.weight[TEXT.kv_lora_rank :]
        shared.copy_(shared[order].clone())
    ids, patches = prompt()
    actual = ours(ids, patches, GRIDS)
    assert relative(actual, expected) > 0.1
    assert (actual.argmax(-1) == expected.argmax(-1)).float().mean() < 0.9


@torch.no_grad()
def test_decoding_with_images_and_cache_equals_the_whole(tmp_path: Path) -> None:
    ours = network()
    ids, patches = prompt()
    cache = Cache(TEXT, capacity=ids.shape[1])
    first = ours(ids[:, :-4], patches, GRIDS, cache)
    rest = [ours(ids[:, at : at + 1], cache=cache) for at in range(ids.shape[1] - 4, ids.shape[1])]
    actual = torch.cat([first, *rest], 1)
    assert_same_logits(actual, k25_logits(as_k25(ours, tmp_path / "theirs")))


# The decoder.


@torch.no_grad()
def test_the_decoder_equals_deepseek_v3(tmp_path: Path) -> None:
    ours, ids = network(), words(40, batch=2)
    theirs = as_deepseek(ours, tmp_path / "theirs")
    assert_same_logits(ours(ids), theirs(input_ids=ids).logits)


@torch.no_grad()
@pytest.mark.parametrize(
    "sizes",
    [
        [200],
        [1] * 40 + [160],
        [100] * 2,
        [ABSORB_BELOW - 1, 73],
        [20, 1, 1, ABSORB_BELOW + 10, 200 - 32 - ABSORB_BELOW],
    ],
    ids=["expanded", "one by one", "absorbed", "absorbed after absorbed", "mixed"],
)
def test_both_forms_of_cached_attention_equal_deepseek_v3(tmp_path: Path, sizes: list[int]) -> None:
    ours, ids = network(), words(200, batch=2)
    expected = as_deepseek(ours, tmp_path / "theirs")(input_ids=ids).logits
    assert_same_logits(in_chunks(ours, ids, sizes, torch.float32), expected)


@torch.no_grad()
def test_greedy_decoding_equals_generate(tmp_path: Path) -> None:
    ours, ids = network(), words(12)
    theirs: Any = as_deepseek(ours, tmp_path / "theirs")
    expected = theirs.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    cache, fed, written = Cache(TEXT), ids, []
    for _ in range(12):
        fed = ours(fed, cache=cache)[:, -1:].argmax(-1)
        written.append(fed)
    assert torch.equal(torch.cat([ids, *written], 1), expected)
