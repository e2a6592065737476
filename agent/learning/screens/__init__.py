"""Generated training screens: drawn by PIL in a few milliseconds, with exact labels.

`ScreenGenerator.sample(index)` gives pixels, questions with their boxes, and every glyph's centre.
A scene (`scenes`) places widgets (`widgets`) on a canvas; `wording` asks about what is there.
"""

from agent.learning.screens.generator import ScreenGenerator

__all__ = ["ScreenGenerator"]
