"""The hands: settling, typing, speed and stops, on throw-away displays; rivals in the same run.

    python -m benchmarks.hands [settle] [blinkers] [typing] [speed] [stops] [--minutes 6.5]
    python -m benchmarks.hands stops --stops 1000 --kept stops.jsonl
    python -m benchmarks.hands --quick

Without a name it measures all five. Every row makes so many tries as its share of the time allows,
up to the number that the targets speak of, and says how many; `--minutes 25` reaches all of those
on one core. `--quick` only shows that everything runs. `typing` wants pynput (`pip install pynput`)
and xdotool; `speed` wants scrot, PyAutoGUI's camera.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import _hands_settle, _hands_speed, _hands_stops, _hands_typing
from benchmarks._hands_sheet import Sheet

MODES: dict[str, tuple[tuple[str, ...], Callable[..., None], float]] = {
    "settle": (_hands_settle.COLUMNS, _hands_settle.measure, 0.25),
    "blinkers": (_hands_settle.COLUMNS, _hands_settle.measure_blinkers, 0.2),
    "typing": (_hands_typing.COLUMNS, _hands_typing.measure, 0.2),
    "speed": (_hands_speed.COLUMNS, _hands_speed.measure, 0.08),
    "stops": (_hands_stops.COLUMNS, _hands_stops.measure, 0.27),
}
"""The columns of each, what measures it, and its share of the time."""
_QUICK_MINUTES = 0.25


def main() -> None:
    """Measure, and print a table after each mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(MODES)}; all, unless named")
    parser.add_argument("--minutes", type=float, default=6.5, help="for all together")
    parser.add_argument("--stops", type=int, default=_hands_stops.TRIES, help="how many")
    parser.add_argument("--kept", type=Path, help="file of earlier stops, to go on where it ends")
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    asked = parser.parse_args()
    if unknown := set(asked.what) - set(MODES):
        parser.error(f"expected some of {', '.join(MODES)}, actually: {', '.join(unknown)}")
    seconds = 60 * (_QUICK_MINUTES if asked.quick else asked.minutes)
    known = {"stops": {"tries": asked.stops, "kept": asked.kept}}
    whole = [_measured(name, seconds, **known.get(name, {})) for name in asked.what or MODES]
    sys.exit(0 if all(whole) else 1)


def _measured(name: str, seconds: float, **more: Any) -> bool:
    """Print the table of one mode; whether all of it could be measured."""
    columns, measure, share = MODES[name]
    sheet = Sheet(name, *columns)
    try:
        measure(sheet, seconds * share, **more)
    except Exception as error:  # no display, or it went away: what was measured is still shown
        sheet.fail(f"{name} as a whole", error)
    Console(width=170).print(sheet.table, "")
    return sheet.whole


if __name__ == "__main__":
    main()
