"""Moonlight: the DeepSeek-V3 style decoder of Kimi-VL.

- Multi-head latent attention (MLA): the cache holds one latent vector and one rotary key per token
  and layer (576 values at Kimi-VL's size), shared by all heads.
- Two exact forms of the same attention: *expanded* (keys and values per head; best for prefill) and
  *absorbed* (queries moved into the latent space; best for decode, history is never expanded).
- Sigmoid-routed mixture of experts with shared experts; layer 0 is dense.
- Parameter names are the checkpoint's (`language_model.*`). Formulas: arXiv 2412.19437 §2.1.

Legend: B batch, T new tokens, S cached + new tokens, H heads, R kv_lora_rank.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from agent.model.cache import Cache, History, Packed, PackedLayer
from agent.model.config import TextConfig
from agent.model.int4 import Int4Linear
from vision.linear import Linear
from vision.moonvit import rotate_pairs

ABSORB_BELOW = 128
"""With fewer new tokens than this, moving queries is cheaper than expanding the history: 35 KFLOP a
pair of tokens instead of 10, but no 4.2 MFLOP for every token of the history.
"""
SCORES = 1 << 20
"""Pairs of tokens whose absorbed scores lie in memory at once (64 MB in fp32 for 16 heads)."""


class RMSNorm(nn.Module):
    """x / rms(x) * weight, computed in fp32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., size) -> (..., size)."""
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


class LatentAttention(nn.Module):
    """MLA without query compression (q_lora_rank is null in Moonlight)."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = c = config
        heads = c.num_attention_heads
        self.q_proj = Linear(c.hidden_size, heads * c.qk_head_dim, bias=False)
        self.kv_a_proj_with_mqa = Linear(c.hidden_size, c.latent_size, bias=False)
        # The published class default, not rms_norm_eps: the two differ in the checkpoint.
        self.kv_a_layernorm = RMSNorm(c.kv_lora_rank, eps=1e-6)
        self.kv_b_proj = Linear(
            c.kv_lora_rank, heads * (c.qk_nope_head_dim + c.v_head_dim), bias=False
        )
        self.o_proj = Linear(heads * c.v_head_dim, c.hidden_size, bias=False)
        self.scale = c.qk_head_dim**-0.5

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: History | None
    ) -> Tensor:
        """Attend.

        Args:
            x: (B, T, hidden).
            cos: (B or 1, T, rope / 2); sin alike.
            sin: sines.
            mask: boolean, broadcastable to (B, H, T, S), True = may look; None = causal.
            cache: this layer's history, appended to; None = only x itself. A packed one takes
                B = 1 and no mask.

        Returns:
            (B, T, hidden).
        """
        c = self.config
        q = self.q_proj(x).unflatten(-1, (c.num_attention_heads, c.qk_head_dim))
        q_nope, q_rope = q.split([c.qk_nope_head_dim, c.qk_rope_head_dim], -1)
        q_rope = rotate_pairs(q_rope, cos.unsqueeze(2), sin.unsqueeze(2))
        latent, k_rope = self.kv_a_proj_with_mqa(x).split([c.kv_lora_rank, c.qk_rope_head_dim], -1)
        latent = torch.cat([self.kv_a_layernorm(latent), rotate_pairs(k_rope, cos, sin)], -1)
        if isinstance(cache, PackedLayer):
            out = self._attend_packed(q_nope, q_rope, latent, cache)
        elif cache is None:
            out = self._expanded(q_nope, q_rope, latent, mask)
        else:
            out = self._attend(q_nope, q_rope, cache.append(latent), mask)
        return self.o_proj(out.flatten(2))

    def _attend(
        self, q_nope: Tensor, q_rope: Tensor, history: Tensor, mask: Tensor | None
    ) -> Tensor:
        """In the form that is cheaper; (B, T, H, v)."""
        if q_nope.shape[1] >= ABSORB_BELOW:
            return self._expanded(q_nope, q_rope, history, mask)
        moved = self._into_latent(q_nope, q_rope)
        rows = zip(moved, history, _rows(mask, len(history)), strict=True)
        return self._out_of_latent(torch.stack([self._mixed(*row) for row in rows]))

    def _attend_packed(
        self, q_nope: Tensor, q_rope: Tensor, latent: Tensor, cache: PackedLayer
    ) -> Tensor:
        """Each sequence over its own history; (1, T, H, v)."""
        lengths = list(cache.lengths)
        new = latent.split(lengths, 1)
        histories = [layer.append(x) for layer, x in zip(cache.layers, new, strict=True)]
        if max(lengths) >= ABSORB_BELOW:
            parts = zip(q_nope.split(lengths, 1), q_rope.split(lengths, 1), histories, strict=True)
            return torch.cat([self._attend(*part, None) for part in parts], 1)
        moved = self._into_latent(q_nope, q_rope)[0].split(lengths, 1)
        mixed = [self._mixed(q, h[0], None) for q, h in zip(moved, histories, strict=True)]
        return self._out_of_latent(torch.cat(mixed, 1).unsqueeze(0))

    def _expanded(
        self, q_nope: Tensor, q_rope: Tensor, history: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Keys and values per head; (B, T, H, v)."""
        c = self.config
        if mask is None and q_nope.shape[1] < history.shape[1]:
            mask = causal_mask(q_nope.shape[1], history.shape[1], history.device)
        latent, k_rope = history.split([c.kv_lora_rank, c.qk_rope_head_dim], -1)
        kv = self.kv_b_proj(latent).unflatten(-1, (c.num_attention_heads, -1))
        k_nope, v = kv.split([c.qk_nope_head_dim, c.v_head_dim], -1)
        shared = k_rope.unsqueeze(2).expand(*k_nope.shape[:3], -1)
        q = torch.cat([q_nope, q_rope], -1).transpose(1, 2)
        k = torch.cat([k_nope, shared], -1).transpose(1, 2)
        return _attend(q, k, v.transpose(1, 2), mask, self.scale).transpose(1, 2)

    # The absorbed form in three parts. Every product is laid out so that a CPU multiplies without
    # copying weights or history, which einsum and products against a transposed operand do.

    def _into_latent(self, q_nope: Tensor, q_rope: Tensor) -> Tensor:
        """Queries (B, T, H, d) moved to where the history is: (B, H, T, R + rope)."""
        batch, new = q_nope.shape[:2]
        moved = q_nope.flatten(0, 1).transpose(0, 1) @ self._up_projections()[0]
        moved = moved.unflatten(1, (batch, new)).transpose(0, 1)
        return torch.cat([moved, q_rope.transpose(1, 2)], -1)

    def _mixed(self, q_HTr: Tensor, history: Tensor, mask: Tensor | None) -> Tensor:
        """Attend in latent space over one history (S, R + rope); (H, T, R)."""
        new, total = q_HTr.shape[1], history.shape[0]
        if mask is None and new > 1 and new * total > SCORES:
            half = new // 2
            first = self._mixed(q_HTr[:, :half], history[: total - new + half], None)
            return torch.cat([first, self._mixed(q_HTr[:, half:], history, None)], 1)
        scores_HTS = F.linear(q_HTr, history).float() * self.scale
        if mask is None and new > 1:
            mask = causal_mask(new, total, history.device)
        if mask is not None:
            scores_HTS = scores_HTS.masked_fill(~mask, float("-inf"))
        weights = scores_HTS.softmax(-1).to(history.dtype).flatten(0, 1)
        return (weights @ history[:, : self.config.kv_lora_rank]).unflatten(0, (-1, new))

    def _out_of_latent(self, mixed: Tensor) -> Tensor:
        """What was found, (B, H, T, R), as values: (B, T, H, v)."""
        batch, new = mixed.shape[0], mixed.shape[2]
        values = self._up_projections()[1] @ mixed.permute(1, 3, 0, 2).flatten(2)
        return values.permute(2, 0, 1).unflatten(0, (batch, new))

    def _up_projections(self) -> tuple[Tensor, Tensor]:
        """The maps from latent to key and to value, (H, d, R) each."""
        c = self.config
        weight = self.kv_b_proj.weight.unflatten(0, (c.num_attention_heads, -1))
        to_key, to_value = weight.split([c.qk_nope_head_dim, c.v_head_dim], 1)
        return to_key, to_value


def _rows(mask: Tensor | None, batch: int) -> Sequence[Tensor | None]:
    """The mask of each row of a batch, (H or 1, T, S)."""
    if mask is None:
        return [None] * batch
    while mask.dim() < 4:
        mask = mask.unsqueeze(0)
    return list(mask.expand(batch, *mask.shape[1:]))


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """(B, H, T, d) queries over (B, H, S, d) keys and (B, H, S, v) values; None: causal, T = S."""
    if q.requires_grad and q.device.type == "cpu":  # see vision.attention: faster backward
        if mask is None:
            mask = causal_mask(q.shape[2], k.shape[2], q.device)
        scores = ((q * scale) @ k.transpose(-1, -2)).masked_fill(~mask, float("-inf"))
        return scores.softmax(-1) @ v
    # The fused kernels take values as wide as keys; without them all scores lie in memory.
    padded = F.pad(v, (0, q.shape[-1] - v.shape[-1]))
    out = F.scaled_dot_product_attention(
        q.contiguous(), k.contiguous(), padded.contiguous(),  # see vision.attention: faster
        attn_mask=mask, is_causal=mask is None, scale=scale,
    )  # fmt: skip
    return out[..., : v.shape[-1]]


def causal_mask(new: int, total: int, device: torch.device | None = None) -> Tensor:
    """(new, total) boolean, True where the query may look; the new tokens come last."""
    query = torch.arange(total - new, total, device=device)
    return torch.arange(total, device=device)[None, :] <= query[:, None]


class MLP(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: TextConfig, inner: int) -> None:
        super().__init__()
        self.gate_proj = _weights(config, config.hidden_size, inner)
        self.up_proj = _weights(config, config.hidden_size, inner)
        self.down_proj = _weights(config, inner, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., hidden) -> (..., hidden)."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


def _weights(config: TextConfig, inputs: int, outputs: int) -> nn.Module:
    if config.int4_group:
        return Int4Linear(inputs, outputs, config.int4_group)
    return Linear(inputs, outputs, bias=False)


class Router(nn.Module):
    """Chooses experts by sigmoid score plus a balancing bias, which stays out of the weights."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))
        self.e_score_correction_bias = nn.Parameter(
            torch.zeros(config.n_routed_experts), requires_grad=False
        )
        self.load: Tensor | None = None
        """Tokens sent to each expert by the last forward pass in training."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, hidden) -> expert ids (N, k) and their weights (N, k) in fp32."""
        c = self.config
        with torch.autocast(x.device.type, enabled=False):
            scores = F.linear(x.float(), self.weight.float()).sigmoid()
        biased = scores.detach() + self.e_score_correction_bias.float()
        chosen = biased.topk(c.num_experts_per_tok, dim=-1, sorted=False).indices
        weights = scores.gather(-1, chosen)
        if c.norm_topk_prob:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        if self.training:
            self.load = torch.bincount(chosen.flatten(), minlength=c.n_routed_experts)
        return chosen, weights * c.routed_scaling_factor


class MoE(nn.Module):
    """Routed experts plus shared experts that see every token."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        inner = config.moe_intermediate_size
        self.gate = Router(config)
        self.experts = nn.ModuleList(MLP(config, inner) for _ in range(config.n_routed_experts))
        self.shared_experts = MLP(config, inner * config.n_shared_experts)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, hidden) -> (B, T, hidden); each hit expert runs once on its sorted tokens."""
        flat = x.flatten(0, -2)
        chosen, weights = self.gate(flat)
        order = chosen.flatten().argsort(stable=True)
        token = order // chosen.shape[-1]
        counts = torch.bincount(chosen.flatten(), minlength=len(self.experts)).tolist()
        parts = flat[token].split(counts)
        done = [expert(part) for expert, part in zip(self.experts, parts, strict=True) if len(part)]
        routed = torch.cat(done).float() * weights.flatten()[order].unsqueeze(-1)
        mixed = torch.zeros_like(flat, dtype=torch.float32).index_add(0, token, routed)
        return mixed.to(x.dtype).view_as(x) + self.shared_experts(x)

    def forward_dense(self, x: Tensor) -> Tensor:
        """The slow, simple twin of `forward`: every expert sees every token."""
        flat = x.flatten(0, -2)
        chosen, weights = self.gate(flat)
        share = torch.zeros(len(flat), len(self.experts)).scatter(-1, chosen, weights)
        outputs = torch.stack([expert(flat) for expert in self.experts], 1).float()
        mixed = (outputs * share.unsqueeze(-1)).sum(1)
        return mixed.to(x.dtype).view_as(x) + self.shared_experts(x)


class DecoderLayer(nn.Module):
    """x += attention(norm(x)); x += mlp(norm(x))."""

    def __init__(self, config: TextConfig, index: int) -> None:
        super().__init__()
        self.self_attn = LatentAttention(config)
        dense = index < config.first_k_dense_replace
        self.mlp = MLP(config, config.intermediate_size) if dense else MoE(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: History | None
    ) -> Tensor:
        """(B, T, hidden) -> (B, T, hidden)."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embeddings, layers, final norm."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(config, index) for index in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        embeddings: Tensor,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | Packed | None = None,
    ) -> Tensor:
        """Run the layers.

        Args:
            embeddings: (B, T, hidden).
            positions: (B or 1, T) integers; None = the next T after the cache.
            mask: see `LatentAttention`; None = causal.
            cache: appended to when given.

        Returns:
            (B, T, hidden), normalised.
        """
        if positions is None:
            new = embeddings.shape[1]
            positions = (
                torch.arange(new, device=embeddings.device) if cache is None
                else cache.positions(new)
            )  # fmt: skip
        cos, sin = rope_angles(self.config, positions)
        x = embeddings
        for index, layer in enumerate(self.layers):
            history = cache.at(index) if cache else None
            if self.gradient_checkpointing and self.training:
                x = checkpoint(layer, x, cos, sin, mask, history, use_reentrant=False)
            else:
                x = layer(x, cos, sin, mask, history)
        return self.norm(x)


def rope_angles(config: TextConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (B or 1, T, rope / 2) in fp32; pair j turns by theta^(-2j / rope)."""
    size = config.qk_rope_head_dim
    steps = torch.arange(0, size, 2, device=positions.device).float()
    angle = positions.float().unsqueeze(-1) * config.rope_theta ** -(steps / size)
    angle = angle if angle.dim() == 3 else angle.unsqueeze(0)
    return angle.cos(), angle.sin()


class LanguageModel(nn.Module):
    """The decoder and its output head (`language_model.*`)."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.model = Decoder(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
