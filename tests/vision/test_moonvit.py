import math

import pytest
import torch
from open_moonvit import MoonViT as OpenMoonViT
from open_moonvit import MoonViTConfig as OpenMoonViTConfig
from torch import Tensor
from torch.nn import functional as F

from vision.attention import segment_attention, segment_attention_masked
from vision.moonvit import Grid, MoonVit, VisionConfig, rope_table, rotate_pairs
from vision.projector import Projector, merge_patches

CONFIG = VisionConfig(
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=96,
)
GRIDS: list[Grid] = [(70, 4), (6, 10), (2, 66), (64, 64), (2, 2)]
"""Odd shapes: beyond the table's 64 positions on either axis, the table itself, the smallest."""


@torch.no_grad()
def randomize(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights large enough for sharp attention; every bias and norm counts."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + 0.3 * noise)
        elif parameter.dim() > 1 and "pos_emb" not in name:
            parameter.copy_(1.5 * noise / math.sqrt(parameter[0].numel()))
        else:
            parameter.copy_(0.3 * noise)


def tower(config: VisionConfig = CONFIG) -> MoonVit:
    made = MoonVit(config)
    randomize(made)
    return made.eval()


def patches(grids: list[Grid], seed: int = 1) -> Tensor:
    count = sum(h * w for h, w in grids)
    return torch.randn(count, 3, 14, 14, generator=torch.Generator().manual_seed(seed))


def image(packed: Tensor, grid: Grid) -> Tensor:
    """(h*w, 3, 14, 14) -> (3, 14 h, 14 w)."""
    h, w = grid
    return packed.view(h, w, 3, 14, 14).permute(2, 0, 3, 1, 4).reshape(3, 14 * h, 14 * w)


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


def other_layout(rows: Tensor) -> Tensor:
    """(heads, head_dim, ...) from pairs x, y, x, y, ... to halves: y (rotate-half), then x."""
    at = torch.arange(0, rows.shape[1], 4)
    return rows[:, torch.cat([at + 2, at + 3, at, at + 1])]


@torch.no_grad()
def second_oracle(ours: MoonVit, *, permute: bool) -> OpenMoonViT:
    """Our weights in an independent implementation of the encoder."""
    config = ours.config
    theirs = OpenMoonViT(
        OpenMoonViTConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            layer_norm_eps=1e-5,
            abs_pos_embed_grid_size=64,
        )
    )
    renamed = {
        "patch_embed.pos_emb.weight": "pos_embed.pos_embed",
        "encoder.final_layernorm": "post_layernorm",
        "encoder.blocks": "layers",
        ".norm0": ".layer_norm1",
        ".norm1": ".layer_norm2",
        ".wqkv": ".self_attn.qkv",
        ".wo": ".self_attn.proj",
        ".fc1": ".fc2",
        ".fc0": ".fc1",
    }
    weights = {}
    for name, value in ours.state_dict().items():
        if permute and ".wqkv." in name:
            q, k, v = value.unflatten(0, (3, config.num_attention_heads, -1)).unbind(0)
            value = torch.stack([other_layout(q), other_layout(k), v]).flatten(0, 2)
        new = name
        for old, other in renamed.items():
            new = new.replace(old, other)
        weights[new] = value.flatten(0, 1) if "pos_embed" in new else value
    theirs.load_state_dict(weights)
    return theirs.eval()


@torch.no_grad()
def test_equals_an_independent_implementation() -> None:
    ours, packed = tower(), patches(GRIDS)
    parts = packed.split([h * w for h, w in GRIDS])
    images = [image(part, grid) for part, grid in zip(parts, GRIDS, strict=True)]
    actual = ours(packed, GRIDS)
    assert relative(actual, second_oracle(ours, permute=True)(images).last_hidden_state) < 1e-5
    wrong = second_oracle(ours, permute=False)(images).last_hidden_state
    assert relative(actual, wrong) > 0.1


@torch.no_grad()
def test_packing_changes_nothing() -> None:
    ours, packed = tower(), patches(GRIDS)
    together = ours(packed, GRIDS)
    parts = packed.split([h * w for h, w in GRIDS])
    alone = [ours(part, [grid]) for part, grid in zip(parts, GRIDS, strict=True)]
    assert relative(together, torch.cat(alone)) < 1e-5


@torch.no_grad()
def test_an_image_does_not_see_its_neighbour() -> None:
    ours, grids = tower(), [(4, 6), (6, 2)]
    packed = patches(grids)
    changed = packed.clone()
    changed[24:] = 5.0
    assert torch.equal(ours(packed, grids)[:24], ours(changed, grids)[:24])


@torch.no_grad()
def test_equal_grids_take_the_batched_path_with_the_same_result() -> None:
    ours, grids = tower(), [(4, 6)] * 3
    packed = patches(grids)
    alone = torch.cat([ours(part, [(4, 6)]) for part in packed.split(24)])
    assert relative(ours(packed, grids), alone) < 1e-5


def test_grids_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="need 24 patches, got 23"):
        tower()(patches([(1, 23)]), [(4, 6)])


@pytest.mark.parametrize("lengths", [[5], [7, 7, 7], [1, 30, 4, 4]])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_segment_attention_equals_its_masked_twin(lengths: list[int], requires_grad: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (sum(lengths), 3, 16)
    q, k, v = (2 * torch.randn(shape, generator=generator) for _ in range(3))
    q.requires_grad_(requires_grad)
    fast = segment_attention(q, k, v, lengths)
    slow = segment_attention_masked(q, k, v, lengths)
    assert torch.allclose(fast, slow, atol=1e-5)


def test_rope_turns_even_pairs_by_column_and_odd_pairs_by_row() -> None:
    """The published formula with complex numbers, one patch at a time."""
    h, w, size = 3, 5, 24
    cos, sin = rope_table([(2, 2), (h, w)], size, 10000.0)
    x = torch.randn(4 + h * w, size, generator=torch.Generator().manual_seed(0))
    turned = rotate_pairs(x, cos, sin)
    for row in range(h):
        for column in range(w):
            at = 4 + row * w + column
            for pair in range(size // 2):
                position = column if pair % 2 == 0 else row
                angle = position * 10000.0 ** (-4 * (pair // 2) / size)
                number = complex(*x[at, 2 * pair : 2 * pair + 2].tolist())
                number *= complex(math.cos(angle), math.sin(angle))
                actual = complex(*turned[at, 2 * pair : 2 * pair + 2].tolist())
                assert abs(actual - number) < 1e-5


def test_rope_is_computed_in_fp32() -> None:
    cos, sin = rope_table([(2, 300)], 8, 10000.0)
    x = torch.randn(600, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert torch.equal(rotate_pairs(x, cos, sin), rotate_pairs(x.float(), cos, sin).bfloat16())


def test_positions_are_resized_without_antialias() -> None:
    embedding = tower().patch_embed.pos_emb
    grid = (20, 48)
    plain = F.interpolate(embedding.weight.permute(2, 0, 1)[None], size=grid, mode="bicubic")
    expected = plain[0].flatten(1).T
    assert torch.allclose(embedding([grid]), expected, atol=1e-6)


def test_merging_keeps_reading_order_inside_a_block() -> None:
    grids = [(2, 4), (4, 2)]
    numbers = torch.arange(16).float().unsqueeze(1)
    merged = merge_patches(numbers, grids, (2, 2)).squeeze(-1)
    assert merged.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


@torch.no_grad()
def test_the_projector_follows_its_formula() -> None:
    projector = Projector(CONFIG, 32)
    randomize(projector, seed=3)
    features = torch.randn(24, 64, generator=torch.Generator().manual_seed(4))
    actual = projector(features, [(4, 6)])
    first = features[[0, 1, 6, 7]]  # the block in the top left corner
    norm = projector.pre_norm
    normal = (first - first.mean(1, keepdim=True)) / (
        first.var(1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    x = projector.linear_1((normal * norm.weight + norm.bias).flatten())
    exact_gelu = x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    assert torch.allclose(actual[0], projector.linear_2(exact_gelu), atol=1e-5)
    assert actual.shape == (6, 32)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        ours = tower().train()
        ours.encoder.gradient_checkpointing = checkpointing
        ours(patches([(4, 6)]), [(4, 6)]).square().mean().backward()
        gradients.append(
            torch.cat([p.grad.flatten() for p in ours.parameters() if p.grad is not None])
        )
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


@torch.no_grad()
def test_the_stem_works_on_whole_images_and_off_it_does_not_exist() -> None:
    assert not any("stem" in name for name in tower().state_dict())
    stemmed = tower(VisionConfig(**{**CONFIG.__dict__, "stem_channels": (8, 16)}))
    grids = [(4, 6), (2, 2), (4, 6)]
    packed = patches(grids)
    together = stemmed(packed, grids)
    parts = packed.split([h * w for h, w in grids])
    alone = [stemmed(part, [grid]) for part, grid in zip(parts, grids, strict=True)]
    assert relative(together, torch.cat(alone)) < 1e-5
    equal = stemmed(torch.cat([parts[0], parts[2]]), [(4, 6), (4, 6)])
    assert relative(equal, torch.cat([alone[0], alone[2]])) < 1e-5


def test_head_sizes_that_two_axes_cannot_share_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 4"):
        VisionConfig(hidden_size=60, num_attention_heads=6)
