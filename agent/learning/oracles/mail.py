"""The inbox tasks: find one mail, then star, delete, answer or forward it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.learning.oracles.page import Lost, Move, View, click, fill


@dataclass(frozen=True)
class _Errand:
    """What to do with whose mail; `text` is the answer or the addressee."""

    sender: str
    kind: str
    text: str = ""


def inbox(view: View) -> Move:
    """The next step of the errand, from whichever page is open."""
    errand = _errand(view)
    for part, work in (("#reply", _reply), ("#forward", _forward), ("#email", _open)):
        if any(element.shown for element in view.all(part)):
            return work(view, errand)
    if any(element.shown for element in view.all("#search")):
        return click(view.one("#search-cancel"))
    senders = [sender.text for sender in view.all("#main .email-sender")]
    if errand.sender not in senders:
        raise Lost(f"expected a mail by {errand.sender}")
    icon = {"important": ".star", "delete": ".trash"}.get(errand.kind)
    targets = view.all(f"#main .email-thread {icon}" if icon else "#main .email-thread .email-left")
    return click(targets[senders.index(errand.sender)])


def _reply(view: View, errand: _Errand) -> Move:
    if errand.kind != "reply" or view.one(".reply-sender").text != errand.sender:
        return click(view.one("#close-reply"))
    return fill(view.one("#reply-text"), errand.text) or click(view.one("#send-reply"))


def _forward(view: View, errand: _Errand) -> Move:
    if errand.kind != "forward" or view.one("#email .email-sender").text != errand.sender:
        return click(view.one("#close-forward"))
    return fill(view.one(".forward-sender"), errand.text) or click(view.one("#send-forward"))


def _open(view: View, errand: _Errand) -> Move:
    if view.one("#email .email-sender").text != errand.sender:
        return click(view.one("#close-email"))
    names = {"important": ".star", "delete": ".trash", "reply": ".email-reply"}
    return click(view.one(f"#email {names.get(errand.kind, '.email-forward')}"))


def _errand(view: View) -> _Errand:
    fields = view.read("core.currentFields || null")
    if fields:
        return _from_fields(fields)
    said = view.instruction
    sender = view.match(r"email by (\S+)")[1]
    if answer := re.search(r'text "(.*)"', said):
        return _Errand(sender, "reply", answer[1])
    if forward := re.search(r"forward that email to (\w+)", said):
        return _Errand(sender, "forward", forward[1])
    return _Errand(sender, "delete" if "trash" in said else "important")


def _from_fields(fields: dict[str, str]) -> _Errand:
    """Of the tasks that word their instruction freely."""
    text = fields.get("message") or fields.get("to") or ""
    kind = fields.get("task") or "forward"
    return _Errand(fields["by"], kind, text)


ORACLES: dict[str, Callable[[View], Move]] = dict.fromkeys(
    (
        *("email-inbox", "email-inbox-forward", "email-inbox-forward-nl"),
        *("email-inbox-forward-nl-turk", "email-inbox-important", "email-inbox-nl-turk"),
        *("email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply"),
    ),
    inbox,
)
