"""A network small enough for a test, with random weights."""

from __future__ import annotations

import torch

from agent.learning.batch import Batch
from agent.learning.losses import Scores, Weights, score
from agent.model.config import KimiVLConfig, PointerConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import MEDIA, embedded_tokenizer
from vision.moonvit import VisionConfig


def tiny_config(pointing: bool = True, stem: bool = True, words: bool = False) -> KimiVLConfig:
    """With `words`, it has a letter tower, a lexicon and all that needs them."""
    tokenizer = embedded_tokenizer()
    return KimiVLConfig(
        vision=VisionConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            init_pos_emb_height=8,
            init_pos_emb_width=8,
            stem_channels=(4, 8) if stem else (),
            letter_blocks=1 if words else 0,
        ),
        text=TextConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            moe_intermediate_size=24,
            n_routed_experts=4,
            n_shared_experts=1,
            num_experts_per_tok=2,
            kv_lora_rank=16,
            qk_nope_head_dim=12,
            qk_rope_head_dim=8,
            v_head_dim=16,
            rope_theta=10000.0,
            max_position_embeddings=512,
        ),
        media_placeholder_token_id=tokenizer.special(MEDIA),
        pointer=PointerConfig(16, 3, 96, 8, *((2, 8, 32, 1, True, True) if words else ()))
        if pointing
        else None,
    )


def tiny_model(
    seed: int = 0, pointing: bool = True, stem: bool = True, words: bool = False
) -> KimiVL:
    model = KimiVL(tiny_config(pointing, stem, words))
    model.initialize(seed)
    letters = model.vision_tower.patch_embed.letters
    if model.lexicon is not None and letters is not None:
        letters.spell.weight.data *= 40  # sure of what it reads, though all of it is wrong
        # A new lexicon gives no hints, a new second look changes nothing.
        model.lexicon.hint.weight.data.normal_(generator=torch.Generator().manual_seed(seed))
    if model.second_look is not None:
        model.second_look.found.weight.data.normal_(generator=torch.Generator().manual_seed(seed))
    if model.inscriptions is not None:  # a new one tells nothing
        model.inscriptions.told.weight.data.normal_(generator=torch.Generator().manual_seed(seed))
    return model.eval()


def learn(model: KimiVL, batch: Batch, weights: Weights, metric: str, enough: float) -> Scores:
    """A few steps on one batch, until a metric is small enough; the last one's scores."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, 3e-3)
    for _ in range(80):
        scored = score(model, batch, weights)
        scored.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if scored.metrics[metric] < enough:
            break
    return scored
