"""What a served model expects: prompt, dialect, coordinates and picture sizes, fixed together.

Most wrong clicks of remote GUI models come from mixing these up, so a profile is indivisible.
Pictures are resized here to what the server's processor would make of them anyway; it then leaves
them alone, and coordinates in "absolute pixels" mean the same on both sides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from actions.dialects import find
from agent.memory import Remember, Window, verbatim
from agent.policies.chat import Message, Role
from vision.frame import Frame
from vision.geometry import Size
from vision.smart_resize import FACTOR, smart_resize


@dataclass(frozen=True)
class Profile:
    """One family of models.

    Attributes:
        name: what `--profile` takes.
        matches: lower-case pieces of the model names that belong to it.
        dialect: how its actions are written, and what its coordinates mean; see
            `actions.dialects`.
        opening: the first messages; "{instruction}" stands for the task.
        closing: words after the current picture; "{instruction}" stands for the task.
        max_pixels: larger pictures are scaled down to at most this area.
        window: how many pictures a prompt holds.
        remember: how an earlier answer is written back into the prompt.
        max_tokens: longest answer.
    """

    name: str
    matches: tuple[str, ...]
    dialect: str
    opening: tuple[Message, ...]
    closing: str = ""
    max_pixels: int = 2700 * FACTOR * FACTOR
    window: Window = field(default_factory=Window)
    remember: Remember = verbatim
    max_tokens: int = 1000

    def opened(self, instruction: str) -> tuple[Message, ...]:
        """The first messages with the task in its place; braces in the task mean nothing."""
        return tuple(
            Message(m.role, tuple(_filled(part, instruction) for part in m.parts))
            for m in self.opening
        )

    def closed(self, instruction: str) -> str:
        """The words after the current picture, with the task in its place."""
        return self.closing.replace("{instruction}", instruction)

    def picture_size(self, size: Size) -> Size:
        """Whole (width, height) in which a screenshot of this size is sent.

        Raises:
            SmartResizeError: the picture is empty or too narrow.
        """
        height, width = smart_resize(int(size.height), int(size.width), max_pixels=self.max_pixels)
        return Size(width, height)

    def extent(self, picture: Size) -> Size:
        """The model's coordinate of the far corner of a picture that was sent in this size."""
        return find(self.dialect).extent or picture


def _filled(part: str | Frame, instruction: str) -> str | Frame:
    return part.replace("{instruction}", instruction) if isinstance(part, str) else part


_UITARS_ACTIONS_BOX = r"""
click(start_box='<|box_start|>(x1,y1)<|box_end|>')
left_double(start_box='<|box_start|>(x1,y1)<|box_end|>')
right_single(start_box='<|box_start|>(x1,y1)<|box_end|>')
drag(start_box='<|box_start|>(x1,y1)<|box_end|>', end_box='<|box_start|>(x3,y3)<|box_end|>')
hotkey(key='')
type(content='') #If you want to submit your input, use "\n" at the end of `content`.
scroll(start_box='<|box_start|>(x1,y1)<|box_end|>', direction='down or up or right or left')
wait() #Sleep for 5s and take a screenshot to check for any changes.
finished()
call_user() # Submit the task and call the user when the task is unsolvable, or when you need help.
"""

_UITARS_ACTIONS_POINT = r"""
click(point='<point>x1 y1</point>')
left_double(point='<point>x1 y1</point>')
right_single(point='<point>x1 y1</point>')
drag(start_point='<point>x1 y1</point>', end_point='<point>x2 y2</point>')
hotkey(key='ctrl c') # Split keys with a space and use lowercase. Use at most 3 keys.
type(content='xxx') # Use escape characters \', \", and \n in content part to ensure we can parse the content in normal python string format. If you want to submit your input, use \n at the end of content.
scroll(point='<point>x1 y1</point>', direction='down or up or right or left')
wait() #Sleep for 5s and take a screenshot to check for any changes.
finished(content='xxx') # Use escape characters \', \", and \n in content part to ensure we can parse the content in normal python string format.
"""  # noqa: E501  # the models were trained on these very lines


def _uitars_prompt(actions: str, note: str = "") -> tuple[Message, ...]:
    """The UI-TARS prompt: one user message before the first picture, no system message.

    Args:
        actions: the action space.
        note: one more note, for models that were not trained on this prompt.
    """
    text = (
        "You are a GUI agent. You are given a task and your action history, with screenshots. "
        "You need to perform the next action to complete the task. \n\n"
        "## Output Format\n```\nThought: ...\nAction: ...\n```\n\n"
        f"## Action Space\n{actions}\n"
        "## Note\n"
        "- Use English in `Thought` part.\n"
        "- Write a small plan and finally summarize your next action (with its target element) "
        f"in one sentence in `Thought` part.\n{note}\n"
        "## User Instruction\n{instruction}"
    )
    return (Message(Role.USER, (text,)),)


_THOUSANDTHS = (
    "- x and y are whole numbers from 0 to 1000: thousandths of the picture's width and height.\n"
)
_PIXELS = "- x and y are pixels of the picture.\n"

_CODE_PROMPT = (
    "You are a GUI agent. You are given an instruction, a screenshot of the screen and your "
    "previous interactions with the computer. You need to perform a series of actions to complete "
    "the task.\n\n"
    "For each step, answer in this format:\n"
    "## Thought:\nwhat you see and plan\n\n"
    "## Action:\none sentence, without coordinates\n\n"
    "## Code:\n```python\none call of pyautogui, or computer.triple_click(x=, y=), "
    "computer.wait() or computer.terminate(status='success' or 'failure')\n```"
)

_CODE_CLOSING = (
    "# Task Instruction:\n{instruction}\n\n"
    "Please generate the next move according to the screenshot, task instruction and previous "
    "steps (if provided)."
)

_FENCE = re.compile(r"\n*(?:##\s*Code:?\s*)?```.*?```", re.DOTALL)


def _without_code(number: int, text: str) -> str:
    """An earlier step as OpenCUA and Kimi are reminded of it: thought and action, no code."""
    return f"# Step {number}:\n{_FENCE.sub('', text).strip()}"


def _code_profile(name: str, matches: tuple[str, ...], dialect: str) -> Profile:
    """A model that writes pyautogui code."""
    return Profile(
        name=name,
        matches=matches,
        dialect=dialect,
        opening=(Message(Role.SYSTEM, (_CODE_PROMPT,)),),
        closing=_CODE_CLOSING,
        window=Window(images=3, block=2),
        remember=_without_code,
        max_tokens=2048,
    )


PROFILES = (
    Profile(
        name="uitars-1.5-7b",
        matches=("ui-tars-1.5", "uitars-1.5"),
        dialect="uitars-absolute",
        opening=_uitars_prompt(_UITARS_ACTIONS_BOX),
    ),
    Profile(
        name="uitars-2",
        matches=("ui-tars-2", "uitars-2", "doubao", "seed-"),
        dialect="uitars",
        opening=_uitars_prompt(_UITARS_ACTIONS_POINT),
        max_pixels=5120 * FACTOR * FACTOR,
    ),
    Profile(
        name="uitars-1.0",
        matches=("ui-tars", "uitars"),
        dialect="uitars",
        opening=_uitars_prompt(_UITARS_ACTIONS_BOX),
    ),
    Profile(
        # Its base, Qwen2.5-VL, points in pixels of the resized picture; later Holos do not.
        name="holo-1.5",
        matches=("holo1",),
        dialect="uitars-absolute",
        opening=_uitars_prompt(_UITARS_ACTIONS_BOX, _PIXELS),
    ),
    Profile(
        name="holo",
        matches=("holo",),
        dialect="uitars-point",
        opening=_uitars_prompt(_UITARS_ACTIONS_POINT, _THOUSANDTHS),
    ),
    Profile(
        name="qwen3-vl",
        matches=("qwen3-vl", "qwen3vl", "qwen3.5"),
        dialect="uitars-point",
        opening=_uitars_prompt(_UITARS_ACTIONS_POINT, _THOUSANDTHS),
    ),
    _code_profile("opencua-a3b", ("opencua-a3b",), "opencua"),
    _code_profile("opencua", ("opencua",), "opencua-absolute"),
    _code_profile("kimi", ("kimi",), "opencua"),
)
"""Every known profile, the more special name first."""


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise ValueError(f"no profile {name!r}; expected one of: {', '.join(p.name for p in PROFILES)}")


def profile_for(model: str) -> Profile:
    """The profile that a served model's name points to.

    Raises:
        ValueError: the name fits none; the message says how to choose one.
    """
    lower = model.lower()
    for profile in PROFILES:
        if any(piece in lower for piece in profile.matches):
            return profile
    names = ", ".join(p.name for p in PROFILES)
    raise ValueError(f"cannot tell what {model!r} expects; choose with --profile one of: {names}")
