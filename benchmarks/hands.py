"""The hands: settling, typing, speed and stops, on throw-away displays; rivals in the same run.

    python -m benchmarks.hands settle [--tries 100]
    python -m benchmarks.hands typing [--characters 10000] [--rival-characters 1000]
    python -m benchmarks.hands speed [--tries 300]
    python -m benchmarks.hands stops [--tries 1000]

`typing` wants pynput (`pip install pynput`) and xdotool; `speed` wants scrot, PyAutoGUI's camera.
"""

from __future__ import annotations

import argparse

from rich.console import Console

from benchmarks import _hands_settle, _hands_speed, _hands_stops, _hands_typing


def main() -> None:
    """Measure one thing and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("settle", "typing", "speed", "stops"))
    parser.add_argument("--tries", type=int)
    parser.add_argument("--characters", type=int, default=10_000)
    parser.add_argument("--rival-characters", type=int, default=1_000)
    asked = parser.parse_args()
    match asked.what:
        case "settle":
            table = _hands_settle.measure(asked.tries or 100)
        case "typing":
            table = _hands_typing.measure(asked.characters, asked.rival_characters)
        case "speed":
            table = _hands_speed.measure(asked.tries or 300)
        case "stops":
            table = _hands_stops.measure(asked.tries or 1000)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
