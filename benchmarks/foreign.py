"""Open an export with the reader of the library that it is made for.

    python benchmarks/foreign.py llamafactory EXPORT
    python benchmarks/foreign.py lerobot EXPORT

Both libraries want other versions than Eyehand does, so this runs in an environment of theirs and
needs nothing of ours. It stops at the first row that is not what the export says.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import io
import json
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

CHAT = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def llamafactory(folder: Path) -> str:
    """Rows, pictures and what is learned, through loader, chat template and tokenizing."""
    if importlib.util.find_spec("torchaudio") is None:  # imported there, and used for sound only
        silent = types.ModuleType("torchaudio")
        silent.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = silent
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.extras.env import VERSION
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

    rows = json.loads((folder / "train.json").read_text("utf-8"))
    tokenizer, seer = _letters(), Qwen2VLImageProcessor()
    asked = DataArguments(
        dataset="eyehand", dataset_dir=str(folder), template="qwen2_vl", cutoff_len=1_000_000,
        overwrite_cache=True,
    )  # fmt: skip
    template = get_template_and_fix_tokenizer(tokenizer, asked)
    processor = types.SimpleNamespace(
        image_processor=seer, video_processor=seer, image_max_pixels=2**24, image_min_pixels=1,
    )  # fmt: skip
    read = get_dataset(
        template, ModelArguments(model_name_or_path="none"), asked,
        Seq2SeqTrainingArguments(output_dir=str(folder), use_cpu=True, log_level="error"),
        "sft", tokenizer, processor,
    )["train_dataset"]  # fmt: skip
    assert len(read) == len(rows), (len(read), len(rows))
    for got, row in zip(read, rows, strict=True):
        _same_lesson(got, row, tokenizer)
    return f"LLaMA-Factory {VERSION}: {len(rows)} conversations, every answer and picture there"


def _letters() -> Any:
    """A tokenizer of bytes: any text comes back from its tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=list(CHAT),
    )  # fmt: skip


def _same_lesson(got: dict[str, Any], row: dict[str, Any], tokenizer: Any) -> None:
    """The labels are the answers, and there is a run of picture tokens for each picture."""
    answers = [turn["content"] for turn in row["messages"] if turn["role"] == "assistant"]
    learned = tokenizer.decode([label for label in got["labels"] if label >= 0])
    assert [part.lstrip("\n") for part in learned.split("<|im_end|>")] == [*answers, ""], learned
    seen = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    runs = sum(one != seen == other for one, other in pairwise(got["input_ids"]))
    assert runs == len(row["images"]), (runs, len(row["images"]))


def lerobot(folder: Path) -> str:
    """Every row whole, one episode alone, rows beside their neighbours in time, and batches."""
    import numpy as np
    from lerobot import __version__
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    from PIL import Image
    from pyarrow import parquet
    from torch.utils.data import DataLoader

    whole = LeRobotDataset("eyehand/export", root=folder)
    table = parquet.read_table(folder / "data/chunk-000/file-000.parquet").to_pylist()
    assert len(whole) == len(table)
    for got, row in zip((whole[number] for number in range(len(whole))), table, strict=True):
        picture = np.asarray(Image.open(io.BytesIO(row["observation.image"]["bytes"])))
        shown = (got["observation.image"].permute(1, 2, 0).numpy() * 255).round()
        assert np.array_equal(shown.astype(np.uint8), picture)
        assert np.allclose(got["action"].numpy(), row["action"])
    around = {"action": [0.0, 1.0], "observation.image": [-1.0, 0.0]}
    last = LeRobotDataset(
        "eyehand/export", root=folder, episodes=[whole.num_episodes - 1], delta_timestamps=around
    )
    assert len(last[0]["action"]) == len(last[0]["observation.image"]) == 2
    batch = next(iter(DataLoader(whole, batch_size=min(4, len(whole)))))
    assert len(batch["task"]) == len(batch["observation.image"]) == min(4, len(whole))
    return f"lerobot {__version__}: {whole.num_episodes} episodes, {len(whole)} rows, every pixel"


READERS = {"llamafactory": llamafactory, "lerobot": lerobot}


def main() -> None:
    """Open it and tell what was there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=sorted(READERS))
    parser.add_argument("export", type=Path)
    chosen = parser.parse_args()
    print(READERS[chosen.library](chosen.export))


if __name__ == "__main__":
    main()
