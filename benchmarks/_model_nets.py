"""The two networks of the model benchmark: ours and transformers', from the same weights."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from open_moonvit import MoonViT, MoonViTConfig
from safetensors.torch import save_file
from torch import Tensor
from transformers import DynamicCache, Kimi_K25ForConditionalGeneration
from transformers.utils import logging

from agent.model.cache import Cache
from agent.model.checkpoint import load, save
from agent.model.config import KimiVLConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from vision.moonvit import VisionConfig

VOCABULARY = 1024
PAD = VOCABULARY - 1
DTYPE = torch.bfloat16
EXPERTS = ("eager", "batched_mm", "grouped_mm")
"""transformers' ways to run experts that work on a CPU."""


def config_of(layers: int) -> KimiVLConfig:
    """Kimi-VL's own layer shapes; fewer layers, and a small vocabulary."""
    return KimiVLConfig(
        vision=VisionConfig(num_hidden_layers=layers),
        text=TextConfig(vocab_size=VOCABULARY, num_hidden_layers=layers),
        media_placeholder_token_id=PAD,
    )


def write_weights(folder: Path, layers: int) -> None:
    """Random weights in both layouts: `folder`/ours and `folder`/theirs."""
    with torch.device("meta"):
        model = KimiVL(config_of(layers))
    model = model.to(DTYPE).to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 1:
                parameter.fill_(1)
            else:
                parameter.zero_()
    model.initialize(0)
    save(model, folder / "ours")
    renamed = {
        name.replace("multi_modal_projector.linear_1", "mm_projector.proj.0")
        .replace("multi_modal_projector.linear_2", "mm_projector.proj.2")
        .replace("multi_modal_projector", "mm_projector"): value
        for name, value in model.state_dict().items()
    }
    (folder / "theirs").mkdir()
    save_file(renamed, folder / "theirs" / "model.safetensors", metadata={"format": "pt"})
    (folder / "theirs" / "config.json").write_text(json.dumps(_k25_config(model.config)))


def _k25_config(config: KimiVLConfig) -> dict[str, Any]:
    vision, text = config.vision, config.text
    return {
        "model_type": "kimi_k25",
        "architectures": ["Kimi_K25ForConditionalGeneration"],
        "tie_word_embeddings": False,
        "image_token_id": PAD,
        "video_token_id": VOCABULARY + 1,
        "projection_hidden_size": vision.hidden_size,
        "vision_config": {
            "model_type": "kimi_k25_vision",
            **asdict(vision),
            "pos_emb_height": vision.init_pos_emb_height,
            "pos_emb_width": vision.init_pos_emb_width,
        },
        "text_config": {
            "model_type": "deepseek_v3",
            **asdict(text),
            "num_key_value_heads": text.num_attention_heads,
            "q_lora_rank": None,
            "n_group": 1,
            "topk_group": 1,
            "num_nextn_predict_layers": 0,
            "hidden_act": "silu",
            "attention_bias": False,
            "tie_word_embeddings": False,
        },
    }


def load_ours(folder: Path) -> KimiVL:
    """This project's network."""
    return load(folder / "ours", dtype=DTYPE).eval()


def load_theirs(folder: Path) -> Any:
    """The network of transformers; a tensor that finds no place is an error."""
    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    kind: Any = Kimi_K25ForConditionalGeneration
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, report = kind.from_pretrained(
            folder / "theirs", dtype=DTYPE, output_loading_info=True
        )
    faults = [report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")]
    if any(faults):
        raise RuntimeError(f"transformers did not load every tensor: {faults}")
    return model.eval()


def use_experts(theirs: Any, implementation: str) -> None:
    """Run transformers' experts in one of its ways."""
    theirs.model.language_model.set_experts_implementation(implementation)


def load_open_moonvit(ours: KimiVL) -> MoonViT:
    """The encoder of `ours` as the third-party package open_moonvit runs it."""
    config = ours.config.vision
    made = MoonViT(
        MoonViTConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            layer_norm_eps=config.layer_norm_eps,
            abs_pos_embed_grid_size=config.init_pos_emb_height,
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
    for name, value in ours.vision_tower.state_dict().items():
        if ".wqkv." in name:
            q, k, v = value.unflatten(0, (3, config.num_attention_heads, -1)).unbind(0)
            value = torch.stack([_half_layout(q), _half_layout(k), v]).flatten(0, 2)
        new = name
        for old, other in renamed.items():
            new = new.replace(old, other)
        weights[new] = value.flatten(0, 1) if "pos_embed" in new else value
    made.load_state_dict(weights)
    return made.to(DTYPE).eval()


def _half_layout(rows: Tensor) -> Tensor:
    """(heads, head_dim, ...) from pairs x, y, x, y, ... to halves: y (rotate-half), then x."""
    at = torch.arange(0, rows.shape[1], 4)
    return rows[:, torch.cat([at + 2, at + 3, at, at + 1])]


def filled_caches(config: TextConfig, context: int) -> tuple[Cache, DynamicCache]:
    """The same random history of `context` tokens in both layouts."""
    generator = torch.Generator().manual_seed(context)
    ours, theirs = Cache(config, capacity=context + 8, dtype=DTYPE), DynamicCache()
    for index, layer in enumerate(ours.layers):
        history = torch.randn(1, context, config.latent_size, generator=generator).to(DTYPE)
        layer.append(history)
        latent, key = history.split([config.kv_lora_rank, config.qk_rope_head_dim], -1)
        halves = torch.cat([key[..., 0::2], key[..., 1::2]], -1)
        theirs.update(latent.unsqueeze(1), halves.unsqueeze(1), index)
    return ours, theirs
