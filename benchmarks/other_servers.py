"""Our `openai` policy against `transformers serve`: `.venv/bin/python benchmarks/other_servers.py`.

The server has a tiny Qwen2.5-VL with random weights, saved locally. Such a model says nothing that
means anything; what is looked at is that every form of request is taken, that pictures arrive, and
that the server resizes them as the profile expects: the token counts of two pictures must differ by
just what the resizing rule says. Exit code 0 means that all of it is so.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from _transformers_serve import PICTURES, transformers_serve
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from agent.doctor import Health
from agent.endpoint import examine_endpoint
from agent.policies.base import Decision, Observation, PolicyError, Turn
from agent.policies.openai import OpenAIPolicy
from agent.policies.profiles import profile_named
from vision.frame import Frame
from vision.geometry import Box
from vision.smart_resize import FACTOR, smart_resize

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}{%- endif -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
SIZES = ((640, 480), (1000, 700))
"""Width and height of the two screens."""


def main() -> bool:
    """Ask in every form; whether all was right."""
    fine = True
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write(folder / "tiny-qwen2.5-vl")
        with transformers_serve(folder / "tiny-qwen2.5-vl", folder, packages=PICTURES) as served:
            url = f"{served.url}/v1"
            policy = OpenAIPolicy(url, profile=profile_named("uitars-1.5-7b"), timeout=60)
            try:
                fine = resizing(policy) and history(policy)
            except PolicyError as error:
                print(f"refused: {error}\n{(folder / 'server.log').read_text()[-2000:]}")
                fine = False
            finally:
                policy.close()
            began = time.monotonic()
            for finding in examine_endpoint(url, profile="uitars-1.5-7b"):
                print(f"doctor: {finding.name}: {finding.health}: {finding.detail}", flush=True)
                fine &= finding.health is not Health.MISSING
            print(f"doctor: {time.monotonic() - began:.0f} s", flush=True)
    return fine


def resizing(policy: OpenAIPolicy) -> bool:
    """Whether two screens cost as many tokens as the profile's resizing rule says."""
    spent = [decide(policy, screen(*size)).usage.prompt_tokens for size in SIZES]
    rows = [smart_resize(height, width) for width, height in SIZES]
    visual = [height * width // FACTOR**2 for height, width in rows]
    right = spent[1] - spent[0] == visual[1] - visual[0]
    print(f"screens of {SIZES}: {spent} tokens, of which {visual} should be visual: "
          f"{'right' if right else 'WRONG'}", flush=True)  # fmt: skip
    return right


def history(policy: OpenAIPolicy) -> bool:
    """Whether a conversation with earlier pictures and answers is taken."""
    text = "Thought: go\nAction: click(start_box='(10,10)')"
    turns = tuple(Turn(screen(320, 240, number), text, "no effect") for number in range(2))
    decision = decide(policy, screen(640, 480), turns)
    print(f"a third step with two earlier screens: {decision.usage.prompt_tokens} tokens, "
          f"answer {decision.text[:40]!r}", flush=True)  # fmt: skip
    return decision.usage.completion_tokens > 0


def decide(policy: OpenAIPolicy, frame: Frame, turns: tuple[Turn, ...] = ()) -> Decision:
    """One short answer."""
    return policy.decide(Observation("Click on OK.", frame, turns, max_tokens=16))


def screen(width: int, height: int, seed: int = 0) -> Frame:
    """Noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(pixels, Box(0, 0, width, height))


def write(folder: Path) -> None:
    """The model with its tokenizer, template and preprocessing, as published ones look."""
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(config())
    model.lm_head.weight.data[256:] = 0  # words only
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE({char: byte for byte, char in bytes_to_unicode().items()}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIALS))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIALS[2], pad_token=SPECIALS[0]
    ).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    picture = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "min_pixels": 100 * FACTOR**2,
        "max_pixels": 16384 * FACTOR**2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(picture))
    video = {"video_processor_type": "Qwen2VLVideoProcessor"}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video))


def config() -> Qwen2_5_VLConfig:
    """Qwen2.5-VL in small."""
    ids = {name: 256 + number for number, name in enumerate(SPECIALS)}
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 256 + len(SPECIALS),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 65536,
            "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
