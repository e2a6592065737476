"""The network against its own slow twins: cached, packed, in bf16, expert by expert."""

from pathlib import Path

import pytest
import torch

from agent.model.cache import Cache, Packed
from agent.model.checkpoint import load, save
from agent.model.decoder import ABSORB_BELOW, SCORES, LatentAttention, MoE
from tests.agent.random_network import (
    GRIDS,
    TEXT,
    TOLERANCE,
    assert_same_logits,
    in_chunks,
    network,
    prompt,
    relative,
    words,
)
from vision.linear import Linear, widened_product


def test_the_training_path_computes_the_same() -> None:
    """With gradients, attention on a CPU takes another route."""
    ours = network()
    ids, patches = prompt()
    with_gradients = ours(ids, patches, GRIDS)
    assert with_gradients.requires_grad
    with torch.no_grad():
        assert_same_logits(with_gradients.detach(), ours(ids, patches, GRIDS))


@torch.no_grad()
def test_placeholders_must_match_the_visual_tokens() -> None:
    ours = network()
    ids, patches = prompt()
    with pytest.raises(ValueError, match="0 media placeholders for"):
        ours(words(5), patches, GRIDS)
    with pytest.raises(ValueError, match="for 0 visual tokens"):
        ours(ids)


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
