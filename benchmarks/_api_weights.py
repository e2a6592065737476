"""One small random network, written as `eyehand serve` and as `transformers serve` read it.

It is a DeepSeek-V3 text decoder (MLA, routed experts): transformers knows it under that name, and
in Kimi-VL's official layout it is the language model. A token is a byte, so both sides read the
same prompt; the chat template is Kimi-VL's.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from agent.model.chat import END
from agent.model.checkpoint import save
from agent.model.config import KimiVLConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import MEDIA
from agent.model.tokenizer import ByteTokenizer
from vision.moonvit import VisionConfig

SPECIALS = (
    "[PAD]", END, "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
    "<|media_start|>", "<|media_content|>", "<|media_end|>", MEDIA,
)  # fmt: skip
TEMPLATE = """\
{%- if messages[0].role != 'system' -%}
<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>
{%- endif -%}
{%- for message in messages -%}
<|im_{{ message.role }}|>{{ message.role }}<|im_middle|>{{ message.content }}<|im_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}"""


def write(ours: Path, theirs: Path) -> int:
    """Write both folders; how many weights the network has."""
    tokenizer = ByteTokenizer(SPECIALS, [])
    model = _network(tokenizer)
    save(model, ours)
    tokenizer.save(ours)
    (ours / "preprocessor_config.json").write_text("{}")
    theirs.mkdir()
    weights = {
        name.removeprefix("language_model."): value.contiguous()
        for name, value in model.state_dict().items()
        if name.startswith("language_model.")
    }
    save_file(weights, theirs / "model.safetensors", metadata={"format": "pt"})
    (theirs / "config.json").write_text(json.dumps(_deepseek(model.config.text)))
    generation = {"eos_token_id": tokenizer.special(END), "pad_token_id": 256, "do_sample": False}
    (theirs / "generation_config.json").write_text(json.dumps(generation))
    _bytes_for_transformers().save_pretrained(theirs)
    return sum(value.numel() for value in weights.values())


@torch.no_grad()
def _network(tokenizer: ByteTokenizer) -> KimiVL:
    text = TextConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=256, num_hidden_layers=6,
        num_attention_heads=4, intermediate_size=768, moe_intermediate_size=128,
        n_routed_experts=16, n_shared_experts=1, num_experts_per_tok=4, kv_lora_rank=64,
        qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=32, rope_theta=10000.0,
        max_position_embeddings=4096,
    )  # fmt: skip
    vision = VisionConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        init_pos_emb_height=8, init_pos_emb_width=8,
    )  # fmt: skip
    model = KimiVL(KimiVLConfig(vision, text, tokenizer.special(MEDIA)))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.fill_(1.0)
        elif "lm_head" in name:
            parameter.copy_(noise / math.sqrt(256))
            parameter[256:] = 0  # words only: an answer is as long as was asked for
        elif parameter.dim() > 1 and "embed_tokens" not in name:
            parameter.copy_(1.5 * noise / math.sqrt(parameter[0].numel()))
        else:
            parameter.copy_(noise if parameter.dim() > 1 else 0.1 * noise)
    return model.eval()


def _deepseek(text: TextConfig) -> dict[str, object]:
    shape = asdict(text)
    del shape["int4_group"]
    return {
        "model_type": "deepseek_v3",
        "architectures": ["DeepseekV3ForCausalLM"],
        "dtype": "float32",
        **shape,
        "num_key_value_heads": text.num_attention_heads,
        "q_lora_rank": None,
        "n_group": 1,
        "topk_group": 1,
        "num_nextn_predict_layers": 0,
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": False,
    }


def _bytes_for_transformers() -> PreTrainedTokenizerFast:
    """The same ids: 0..255 are bytes, then come the special tokens."""
    tokenizer = Tokenizer(models.BPE({char: byte for byte, char in bytes_to_unicode().items()}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIALS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=SPECIALS[0], chat_template=TEMPLATE
    )
