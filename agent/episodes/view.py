"""What a reader of a report wants to see of each step, as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from actions import codec
from actions.space import Action
from agent.episodes.format import End, Ending, FrameRecord, Head, Json, StepRecord

_LOOK = {
    "confirmed": "good",
    "no_visible_effect": "calm",
    "refused": "bad",
    "failed": "bad",
    End.FINISHED: "good",
    End.DONE: "good",
    End.CALL_USER: "calm",
    End.TRUNCATED: "calm",
    End.STOPPED: "calm",
}
_POINTS = ("point", "start", "end")


def describe(action: Json) -> str:
    """An action in a few words, for people."""
    rest = {name: value for name, value in action.items() if name != "type"}
    match action["type"]:
        case "click":
            count = {2: "double ", 3: "triple "}.get(rest.pop("count", 1), "")
            button = rest.pop("button", "left")
            name = f"{count}{'' if button == 'left' else button + ' '}click"
        case "type":
            submit = " ⏎" if rest.pop("submit", False) else ""
            name = f"type “{rest.pop('text')}”{submit}"
        case "scroll":
            name = f"scroll {rest.pop('direction')} {rest.pop('clicks', 5)}"
        case "hotkey":
            name = f"press {' + '.join(rest.pop('keys'))}"
        case "drag":
            button = rest.pop("button", "left")
            name = "drag" if button == "left" else f"{button} drag"
        case "wait":
            name = f"wait {rest.pop('seconds', 5):g} s"
        case kind:
            name = kind.replace("_", " ")
    if {"start", "end"} <= rest.keys():
        name = f"{name} {_value(rest.pop('start'))} → {_value(rest.pop('end'))}"
    return " ".join([name, *(_value(value) for value in rest.values() if value != "")])


def describe_all(actions: Iterable[Action]) -> str:
    """Typed actions in a few words."""
    return ", ".join(describe(codec.to_dict(action)) for action in actions)


def step_view(step: StepRecord, lost: str) -> Json:
    """One step; `lost` says why there is no picture, empty when there is one."""
    # What the executor got is what happened; the model's own actions stand in where nothing did.
    done = [_done(step, index, action) for index, action in enumerate(step.actions)]
    view: Json = {
        "picture": step.frame.digest,
        "size": step.frame.size,
        "lost": lost,
        "thought": step.thought,
        "text": step.text,
        "error": step.error,
        "actions": done,
        "marks": [mark for action in step.screen_actions for mark in _marks(action, step.frame)],
        "caption": ", ".join(describe(action) for action in step.actions if not _placed(action)),
        "times": _times(step),
        "facts": _facts(step),
        "look": _worst([action["look"] for action in done]) if step.error is None else "bad",
    }
    view["words"] = _words(view)
    return view


def episode_view(head: Head, outcome: Ending | None, steps: list[Json]) -> Json:
    """An episode with the views of its steps."""
    ending = outcome or Ending("not closed", "the recording was cut off")
    reward = "" if ending.reward is None else f" · reward {ending.reward:g}"
    began = datetime.fromtimestamp(head.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    policy = head.policy.get("name") or head.policy.get("policy") or "unknown policy"
    return {
        "instruction": head.instruction or "(no instruction)",
        "outcome": ending.end.replace("_", " ") + reward,
        "look": _LOOK.get(ending.end, "bad"),
        "message": ending.message,
        "facts": f"{began} · {policy} · {head.dialect} · {len(steps)} steps",
        "steps": steps,
    }


def _value(value: Any) -> str:
    """A field of an action: points rounded, texts quoted."""
    if isinstance(value, list | tuple):
        return f"({', '.join(f'{part:g}' for part in value)})"
    return f"“{value}”" if isinstance(value, str) else f"{value:g}"


def _done(step: StepRecord, index: int, action: Json) -> Json:
    """An action and what became of it, when it got as far as a receipt."""
    if index >= len(step.receipts):
        return {"what": describe(action), "outcome": "", "look": "", "message": ""}
    receipt = step.receipts[index]
    return {
        "what": describe(receipt.action),
        "outcome": receipt.outcome,
        "look": _LOOK.get(receipt.outcome, "bad"),
        "message": receipt.message,
        "act_ms": receipt.act_ms,
        "settle_ms": receipt.settle_ms,
    }


def _placed(action: Json) -> bool:
    """Whether an action is fully told by a mark on the picture."""
    return any(name in action for name in _POINTS) and action["type"] not in ("type", "scroll")


def _marks(action: Json, frame: FrameRecord) -> list[Json]:
    """Where an action goes, in pixels of the picture, which may be scaled against the screen."""
    points = [
        (
            (x - frame.box.left + 0.5) * frame.size[0] / frame.box.width,
            (y - frame.box.top + 0.5) * frame.size[1] / frame.box.height,
        )
        for x, y in (action[name] for name in _POINTS if name in action)
    ]
    way = action.get("direction")
    return [{"points": points, "count": action.get("count", 1), "way": way}] if points else []


def _times(step: StepRecord) -> list[tuple[str, float]]:
    """Name and milliseconds of everything that took time, in the order in which it happened."""
    timing = step.timing
    parts = timing.encode_ms + timing.prefill_ms + timing.decode_ms
    return [
        ("Encode", timing.encode_ms),
        ("Prefill", timing.prefill_ms),
        ("Decode", timing.decode_ms),
        ("Other", max(0.0, timing.total_ms - parts)),
        ("Act", sum(receipt.act_ms for receipt in step.receipts)),
        ("Settle", sum(receipt.settle_ms for receipt in step.receipts)),
    ]


def _facts(step: StepRecord) -> list[tuple[str, str]]:
    """Small print."""
    facts = [
        ("Picture", f"{step.frame.size[0]} × {step.frame.size[1]}"),
        ("Prompt tokens", str(step.usage.prompt_tokens)),
        ("of them cached", str(step.usage.cached_tokens)),
        ("Written tokens", str(step.usage.completion_tokens)),
        ("Recorded", datetime.fromtimestamp(step.time, UTC).strftime("%H:%M:%S UTC")),
    ]
    if step.confidence is not None:
        facts.append(("Confidence", f"{step.confidence:.2f}"))
    if step.withheld:
        facts.append(("Texts withheld", str(step.withheld)))
    return facts


def _worst(looks: list[str]) -> str:
    """The look of a step is that of its worst action."""
    return next((look for look in ("bad", "calm", "good") if look in looks), "")


def _words(view: Json) -> str:
    """Everything that a search looks at, in lower case."""
    told = [
        f"{action['what']} {action['outcome']} {action['message']}" for action in view["actions"]
    ]
    return "\n".join([view["thought"], view["text"], view["error"] or "", *told]).lower()
