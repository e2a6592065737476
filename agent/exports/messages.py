"""Chat samples: UI-TARS's SFT messages with loss masks, and LLaMA-Factory's multimodal ShareGPT.

The prompt is the one that the `uitars-1.0` profile sends when it runs, so that a model is trained
on what it will see: the task, the last five pictures, every earlier answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.episodes.reader import Episode
from agent.exports.samples import samples, save_picture, write_lines
from agent.memory import messages
from agent.policies.base import Observation, Turn
from agent.policies.chat import Message, Role
from agent.policies.profiles import profile_named
from vision.frame import Frame
from vision.geometry import THOUSAND

PROFILE = "uitars-1.0"
_VISION = "<|vision_start|><|image_pad|><|vision_end|>"


def write_uitars(episodes: Sequence[Episode], out: Path) -> int:
    """`train.jsonl` of {"messages", "images"}; the loss counts on the last assistant turn only."""
    told = _Conversations(episodes)
    write_lines(out / "train.jsonl", (_uitars(chat, out) for chat in told))
    return told.left_out


def write_llamafactory(episodes: Sequence[Episode], out: Path) -> int:
    """`train.json` and the `dataset_info.json` that names its columns."""
    told = _Conversations(episodes)
    rows = [_sharegpt(chat, out) for chat in told]
    (out / "train.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    info = {
        "eyehand": {
            "file_name": "train.json",
            "formatting": "sharegpt",
            "columns": {"messages": "messages", "images": "images"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        }
    }
    (out / "dataset_info.json").write_text(json.dumps(info, indent=1), "utf-8")
    return told.left_out


class _Conversations:
    """One conversation per step; `left_out` counts steps without words in the dialect."""

    def __init__(self, episodes: Sequence[Episode]) -> None:
        self._episodes = episodes
        self.left_out = 0

    def __iter__(self) -> Iterator[tuple[Message, ...]]:
        profile = profile_named(PROFILE)
        for episode in self._episodes:
            task = episode.head.instruction
            history: list[Turn] = []
            for sample in samples(episode):
                text = sample.written(profile.dialect, THOUSAND)
                if text is None:
                    self.left_out += 1
                    continue
                seen = Observation(task, sample.frame, tuple(history))
                closing = profile.closed(task)
                asked = messages(seen, profile.opened(task), closing, profile.window)
                yield (*asked, Message(Role.ASSISTANT, (text,)))
                history.append(Turn(sample.frame, text, sample.record.feedback))


def _uitars(chat: tuple[Message, ...], out: Path) -> dict[str, Any]:
    last = len(chat) - 1
    turns = [
        {"role": m.role.value, "content": _content(m, _VISION), "loss_mask": int(i == last)}
        for i, m in enumerate(chat)
    ]
    return {"messages": turns, "images": _images(chat, out)}


def _sharegpt(chat: tuple[Message, ...], out: Path) -> dict[str, Any]:
    """Turns of one role after another become one, as LLaMA-Factory wants user and assistant."""
    turns: list[dict[str, str]] = []
    for message in chat:
        content = _content(message, "<image>")
        if turns and turns[-1]["role"] == message.role.value:
            turns[-1]["content"] += "\n" + content
        else:
            turns.append({"role": message.role.value, "content": content})
    return {"messages": turns, "images": _images(chat, out)}


def _content(message: Message, picture: str) -> str:
    return "\n".join(picture if isinstance(part, Frame) else part for part in message.parts)


def _images(chat: tuple[Message, ...], out: Path) -> list[str]:
    frames = (part for message in chat for part in message.parts if isinstance(part, Frame))
    return [f"images/{save_picture(frame, out / 'images')}" for frame in frames]
