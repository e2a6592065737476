"""A control panel that speaks its trade's short forms: what a button does is not what it says.

    python benchmarks/_learn_app.py SEED FILE

The seed shuffles the buttons and moves the window's content; FILE gets the place of each as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import tkinter
from pathlib import Path

TASKS = {
    "Silence the alarm": "ACK",
    "Let the air out": "VENT",
    "Weigh it again from zero": "TARE",
    "Go back to where it began": "HOME",
    "Keep the water moving": "P1 RUN",
    "Take a small amount out": "SMPL",
}
"""What people say -> what the button says."""

SIZE = (308, 224)


def main() -> None:
    """Show the panel until the window is closed."""
    shuffle, places = random.Random(int(sys.argv[1])), {}
    root = tkinter.Tk()
    root.geometry(f"{SIZE[0]}x{SIZE[1]}+0+0")
    root.configure(bg=shuffle.choice(("#d9d9d9", "#c8d4e0", "#e8e4d8")))
    state = tkinter.Label(root, text="READY", bg="#203020", fg="#a0ffa0", width=16)
    state.place(x=shuffle.randint(10, 140), y=10)
    left, top = shuffle.randint(8, 60), shuffle.randint(44, 90)
    labels = list(TASKS.values())
    shuffle.shuffle(labels)
    for number, label in enumerate(labels):
        button = tkinter.Button(
            root, text=label, command=lambda label=label: state.config(text=f"{label} DONE")
        )
        button.place(x=left + number % 2 * 116, y=top + number // 2 * 42, width=100, height=32)
        places[label] = button
    root.update()
    middles = {
        label: (b.winfo_rootx() + b.winfo_width() // 2, b.winfo_rooty() + b.winfo_height() // 2)
        for label, b in places.items()
    }
    Path(sys.argv[2]).write_text(json.dumps(middles))
    root.mainloop()


if __name__ == "__main__":
    main()
