r"""The embedded model's prompt: Kimi-VL's chat template without a system message.

Training and running build their token ids here, so they cannot drift apart:

    <|im_user|>user<|im_middle|><|media_start|>image<|media_content|>PADS<|media_end|>
    INSTRUCTION[\nEARLIER ANSWER]...<|im_end|><|im_assistant|>assistant<|im_middle|>
    Action: click(start_box='<|box_start|>(x,y)<|box_end|>')<|im_end|>

The instruction is untrusted text: it never turns into special tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions import dialects
from actions.space import Action, Step, on_points
from agent.model.tokenizer import ByteTokenizer, Tokenizer
from vision.geometry import Point

DIALECT = "uitars-box"
"""What the embedded model writes: UI-TARS 1.0 with box tokens."""

REMEMBERED = 3
"""Earlier steps that the prompt holds."""

PAD, END = "[PAD]", "<|im_end|>"
BOX_START, BOX_END, MEDIA = "<|box_start|>", "<|box_end|>", "<|media_pad|>"
SPECIALS = (
    PAD, END, "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
    "<|media_start|>", "<|media_content|>", "<|media_end|>", MEDIA, BOX_START, BOX_END,
)  # fmt: skip
PIECES = (
    "assistant", "Thought: ", "Action: ", "\nAction: ",
    "click(start_box='", "left_double(start_box='", "right_single(start_box='",
    "drag(start_box='", "', end_box='", "scroll(start_box='", "scroll(direction='",
    "', direction='", "type(content='", "hotkey(key='", "press(key='", "release(key='",
    "mouse_down(start_box='", "mouse_up(start_box='", "move_to(start_box='",
    "wait()", "finished()", "finished(content='", "call_user()", "')", "\\n')",
)  # fmt: skip
"""Syntax that costs one token; no piece may be a word of instructions, whose spelling matters."""


def embedded_tokenizer() -> ByteTokenizer:
    """The vocabulary of the embedded model: bytes, specials, and the words of its dialect."""
    return ByteTokenizer(SPECIALS, PIECES)


def screen_ids(tokenizer: Tokenizer, visual_tokens: int) -> list[int]:
    """The part of the prompt that only the screenshot decides."""
    media = MEDIA * visual_tokens
    text = f"<|im_user|>user<|im_middle|><|media_start|>image<|media_content|>{media}<|media_end|>"
    return tokenizer.encode(text, specials=True)


def instruction_ids(tokenizer: Tokenizer, instruction: str, done: Sequence[str] = ()) -> list[int]:
    """The instruction, what was done so far, and the invitation to answer.

    Args:
        tokenizer: the embedded model's.
        instruction: what the user wants.
        done: what the model wrote in earlier steps that had a visible effect, oldest first; only
            the last `REMEMBERED` count.
    """
    said = "".join(f"\n{text}" for text in done[-REMEMBERED:])
    invitation = f"{END}<|im_assistant|>assistant<|im_middle|>"
    return tokenizer.encode(instruction + said) + tokenizer.encode(invitation, specials=True)


def answer_ids(tokenizer: Tokenizer, action: Action) -> list[int]:
    """What the model should write for an action whose points are in model space."""
    return tokenizer.encode(_written(action, DIALECT) + END, specials=True)


def remembered(action: Action) -> str:
    """An earlier answer as the model is reminded of it: plain text, as `decode` gives it."""
    return _written(action, "uitars")


def _written(action: Action, dialect: str) -> str:
    whole = on_points(action, lambda point: Point(round(point.x), round(point.y)))
    return dialects.render(Step("", (whole,)), dialect)
