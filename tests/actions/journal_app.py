"""A program that writes down the input it really receives: the oracle of the executor's tests.

`python journal_app.py FILE` covers the screen with a window and appends one JSON object per event
to FILE: {"event", "x", "y", "mods", "button", "count", "key", "text", "time"}, as far as they
apply. A press on the left half toggles a square, a key press moves a bar; the right half shows
nothing.
"""

from __future__ import annotations

import json
import sys
import time
import tkinter
from functools import partial
from pathlib import Path

MODIFIERS = {0x1: "shift", 0x4: "ctrl", 0x8: "alt", 0x40: "super", 0x80: "altgr"}


class Journal:
    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8", buffering=1)
        self.root = tkinter.Tk()
        width, height = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        self.root.geometry(f"{width}x{height}+0+0")
        self.canvas = tkinter.Canvas(self.root, bg="white", highlightthickness=0, takefocus=1)
        self.canvas.pack(fill="both", expand=True)
        self.square = self.canvas.create_rectangle(40, 40, 80, 80, fill="gray", outline="")
        self.bar = self.canvas.create_rectangle(0, 400, 10, 420, fill="green", outline="")
        self.half = width / 2
        self.presses = self.keys = 0
        for sequence, name in (
            ("<Motion>", "motion"),
            ("<ButtonPress>", "button_down"),
            ("<ButtonRelease>", "button_up"),
            ("<KeyPress>", "key_down"),
            ("<KeyRelease>", "key_up"),
        ):
            self.canvas.bind(sequence, partial(self.note, name))
        for count, word in ((2, "Double"), (3, "Triple"), (4, "Quadruple")):
            self.canvas.bind(
                f"<{word}-ButtonPress>", partial(self.note, "button_down", count=count)
            )
        self.canvas.bind("<Tab>", lambda event: self.note("key_down", event))
        self.canvas.bind("<FocusIn>", self.ready)
        self.focused = False
        self.demand_focus()

    def demand_focus(self) -> None:
        """Ask again until it is granted: a window manager may not have seen the window yet."""
        if not self.focused:
            self.canvas.focus_force()
            self.root.after(50, self.demand_focus)

    def ready(self, event: tkinter.Event[tkinter.Misc]) -> None:
        self.focused = True
        self.write({"event": "ready"})

    def note(self, name: str, event: tkinter.Event[tkinter.Misc], count: int = 1) -> str:
        entry: dict[str, object] = {"event": name, "x": event.x_root, "y": event.y_root}
        entry["mods"] = [word for bit, word in MODIFIERS.items() if int(event.state) & bit]
        if name.startswith("button"):
            entry |= {"button": event.num, "count": count}
        if name.startswith("key"):
            entry |= {"key": event.keysym, "text": event.char}
        self.write(entry)
        self.show(name, event)
        return "break"

    def show(self, name: str, event: tkinter.Event[tkinter.Misc]) -> None:
        if name == "button_down" and event.x_root < self.half:
            self.presses += 1
            color = "red" if self.presses % 2 else "gray"
            self.canvas.itemconfigure(self.square, fill=color)
        if name == "key_down" and event.char:
            self.keys += 1
            left = 7 * self.keys % int(self.half)
            self.canvas.coords(self.bar, left, 400, left + 10, 420)

    def write(self, entry: dict[str, object]) -> None:
        self.file.write(json.dumps(entry | {"time": time.time()}) + "\n")


if __name__ == "__main__":
    Journal(Path(sys.argv[1])).root.mainloop()
