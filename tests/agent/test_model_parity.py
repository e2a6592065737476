"""The network against transformers, which has every part of Kimi-VL under another name.

With one frame per image `Kimi_K25ForConditionalGeneration` is Kimi-VL; its loader takes Kimi-VL's
own tensor names after one renaming of the projector.
"""

import json
import math
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

from agent.model.cache import Cache, Packed
from agent.model.checkpoint import load, save
from agent.model.config import KimiVLConfig, TextConfig
from agent.model.decoder import ABSORB_BELOW, SCORES, LatentAttention, MoE
from agent.model.kimi_vl import KimiVL
from vision.linear import Linear, widened_product
from vision.moonvit import Grid, VisionConfig

PAD = 319
VISION = VisionConfig(
    hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
)
TEXT = TextConfig(
    vocab_size=320,
    hidden_size=64,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=128,
    moe_intermediate_size=48,
    n_routed_experts=8,
    num_experts_per_tok=3,
    kv_lora_rank=32,
    qk_nope_head_dim=16,
    qk_rope_head_dim=16,
    v_head_dim=24,
)
CONFIG = KimiVLConfig(vision=VISION, text=TEXT, media_placeholder_token_id=PAD)
GRIDS: list[Grid] = [(70, 4), (6, 10), (2, 14)]
"""Odd, unequal grids; the first is longer than the 64 rows of the position table."""
TOLERANCE = 1e-4


@torch.no_grad()
def randomize(model: KimiVL) -> KimiVL:
    """Weights large enough for sharp attention and routing; every bias and norm counts."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + 0.3 * noise)
        elif "embed_tokens" in name:
            parameter.copy_(noise)
        elif parameter.dim() > 1 and "pos_emb" not in name:
            parameter.copy_(1.5 * noise / math.sqrt(parameter[0].numel()))
        else:
            parameter.copy_(0.3 * noise)
    return model.eval()


def network() -> KimiVL:
    return randomize(KimiVL(CONFIG))


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


def prompt() -> tuple[Tensor, Tensor]:
    """Token ids (1, T) with the pads of three images between words, and the packed patches."""
    generator = torch.Generator().manual_seed(1)
    ids: list[int] = []
    for h, w in GRIDS:
        ids += torch.randint(0, PAD, (5,), generator=generator).tolist()
        ids += [PAD] * (h * w // 4)
    ids += torch.randint(0, PAD, (9,), generator=generator).tolist()
    count = sum(h * w for h, w in GRIDS)
    return torch.tensor([ids]), torch.randn(count, 3, 14, 14, generator=generator)


def words(count: int, batch: int = 1) -> Tensor:
    return torch.randint(0, PAD, (batch, count), generator=torch.Generator().manual_seed(2))


def k25_logits(theirs: PreTrainedModel) -> Tensor:
    ids, patches = prompt()
    grid_thw = torch.tensor([(1, h, w) for h, w in GRIDS])
    logits: Tensor = theirs(input_ids=ids, pixel_values=patches, image_grid_thw=grid_thw).logits
    return logits


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


def assert_same_logits(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    assert relative(actual, expected) <= TOLERANCE
    assert torch.equal(actual.argmax(-1), expected.argmax(-1))


def in_chunks(model: KimiVL, ids: Tensor, sizes: list[int], dtype: torch.dtype) -> Tensor:
    """Logits of ids fed piece by piece through a cache that has to grow."""
    cache = Cache(TEXT, batch=len(ids), capacity=2, dtype=dtype)
    logits = torch.cat([model(part, cache=cache) for part in ids.split(sizes, 1)], 1)
    assert cache.length == ids.shape[1]
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


@torch.no_grad()
def test_placeholders_must_match_the_visual_tokens() -> None:
    ours = network()
    ids, patches = prompt()
    with pytest.raises(ValueError, match="0 media placeholders for"):
        ours(words(5), patches, GRIDS)
    with pytest.raises(ValueError, match="for 0 visual tokens"):
        ours(ids)


def test_the_training_path_computes_the_same() -> None:
    """With gradients, attention on a CPU takes another route."""
    ours = network()
    ids, patches = prompt()
    with_gradients = ours(ids, patches, GRIDS)
    assert with_gradients.requires_grad
    with torch.no_grad():
        assert_same_logits(with_gradients.detach(), ours(ids, patches, GRIDS))


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
def test_long_histories_are_absorbed_in_pieces_with_the_same_result() -> None:
    """More pairs of tokens than may have their scores in memory at once."""
    attention = network().language_model.model.layers[1].self_attn
    assert isinstance(attention, LatentAttention)
    new, total = ABSORB_BELOW - 1, SCORES // 50
    generator = torch.Generator().manual_seed(3)
    heads = TEXT.num_attention_heads
    q_nope = torch.randn(1, new, heads, TEXT.qk_nope_head_dim, generator=generator)
    q_rope = torch.randn(1, new, heads, TEXT.qk_rope_head_dim, generator=generator)
    history = torch.randn(1, total, TEXT.latent_size, generator=generator)
    absorbed = attention._attend(q_nope, q_rope, history, None)
    assert relative(absorbed, attention._expanded(q_nope, q_rope, history, None)) <= TOLERANCE


@torch.no_grad()
def test_packed_sequences_equal_single_ones() -> None:
    ours = network()
    prompts, turns = [words(30), words(7), words(150)], [words(1), words(140), words(5)]
    caches = [Cache(TEXT) for _ in prompts]
    expected = []
    for prompt_ids, turn in zip(prompts, turns, strict=True):
        alone = Cache(TEXT)
        ours(prompt_ids, cache=alone)
        expected += [ours(turn, cache=alone)[0], ours(words(2), cache=alone)[0]]
    for given, cache in zip(prompts, caches, strict=True):
        ours(given, cache=cache)
    made = []
    for step in (turns, [words(2)] * 3):
        packed = Packed(caches, [part.shape[1] for part in step])
        states = ours.hidden(torch.cat(step, 1), cache=packed)
        made.append(ours.language_model.lm_head(states)[0].split([*packed.lengths]))
    for one, other in zip(
        expected, [x for pair in zip(*made, strict=True) for x in pair], strict=True
    ):
        assert_same_logits(other, one)


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


@torch.no_grad()
def test_a_truncated_cache_continues_as_if_never_longer() -> None:
    ours, ids = network(), words(20)
    cache = Cache(TEXT)
    ours(ids, cache=cache)
    cache.truncate(11)
    assert_same_logits(ours(ids[:, 11:], cache=cache), ours(ids)[:, 11:])


@torch.no_grad()
def test_routed_experts_equal_their_dense_twin() -> None:
    ours = network()
    x = torch.randn(3, 11, TEXT.hidden_size, generator=torch.Generator().manual_seed(5))
    for layer in ours.language_model.model.layers[1:]:
        assert isinstance(layer.mlp, MoE)
        assert relative(layer.mlp(x), layer.mlp.forward_dense(x)) < 1e-5


@torch.no_grad()
def test_the_router_bias_chooses_experts_but_does_not_weigh_them() -> None:
    moe = network().language_model.model.layers[1].mlp
    assert isinstance(moe, MoE)
    x = torch.randn(7, TEXT.hidden_size, generator=torch.Generator().manual_seed(6))
    moe.gate.e_score_correction_bias.zero_()
    moe.gate.e_score_correction_bias[5] = 100.0
    chosen, weights = moe.gate(x)
    scores = (x @ moe.gate.weight.T).sigmoid().gather(1, chosen)
    assert (chosen == 5).any(1).all()
    assert torch.allclose(weights, scores / scores.sum(1, keepdim=True) * 2.446)


@torch.no_grad()
def test_bf16_stays_close_and_routes_in_fp32(tmp_path: Path) -> None:
    ours = network()
    save(ours, tmp_path / "ours")
    half = load(tmp_path / "ours", dtype=torch.bfloat16)
    ids, patches = prompt()
    actual = half(ids, patches.bfloat16(), GRIDS)
    assert actual.dtype == torch.bfloat16
    expected = ours(ids, patches, GRIDS)
    similarity = torch.nn.functional.cosine_similarity(actual.float(), expected, dim=-1)
    # Not every token: rounding of what enters the router sends a few to another expert.
    assert similarity.median() > 0.99
    assert (similarity > 0.98).float().mean() > 0.85
    one_by_one = in_chunks(half, words(12), [1] * 12, torch.bfloat16)
    similarity = torch.nn.functional.cosine_similarity(one_by_one, half(words(12)), dim=-1)
    assert similarity.median() > 0.99
    assert (similarity > 0.98).float().mean() > 0.85
    router = half.language_model.model.layers[1].mlp.gate
    x = torch.randn(50, TEXT.hidden_size, generator=torch.Generator().manual_seed(4)).bfloat16()
    scores = (x.float() @ router.weight.float().T).sigmoid()
    biased = scores + router.e_score_correction_bias
    chosen, weights = router(x)
    assert weights.dtype == torch.float32
    expected_choice = biased.topk(TEXT.num_experts_per_tok).indices
    assert torch.equal(chosen.sort(-1).values, expected_choice.sort(-1).values)


@torch.no_grad()
def test_a_single_bf16_row_takes_another_kernel_with_the_same_result() -> None:
    layer = Linear(96, 40, bias=False).bfloat16()
    enabled = torch.backends.mkldnn.enabled
    for rows in (1, 2):
        x = torch.randn(1, rows, 96, generator=torch.Generator().manual_seed(rows)).bfloat16()
        expected = torch.nn.functional.linear(x.float(), layer.weight.float())
        assert relative(layer(x).float(), expected) < 1e-2
        assert torch.backends.mkldnn.enabled == enabled


@torch.no_grad()
def test_widened_products_are_those_of_fp32_rounded_once() -> None:
    generator = torch.Generator().manual_seed(2)
    for outputs, bias in ((40, True), (5000, False)):  # the second is widened in two blocks
        layer = Linear(512, outputs, bias=bias).bfloat16()
        x = torch.randn(3, 20, 512, generator=generator).bfloat16()
        wide = None if layer.bias is None else layer.bias.float()
        expected = torch.nn.functional.linear(x.float(), layer.weight.float(), wide).bfloat16()
        widened = widened_product(x, layer.weight, layer.bias)
        assert relative(widened.float(), expected.float()) < 1e-3  # a second rounding costs 2e-3
        assert relative(layer(x).float(), expected.float()) < 1e-2
