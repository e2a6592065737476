"""The command `eyehand`. A stop does not wait for the rest of the command line to be imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1:] == ["stop"]:
        from agent.stopping import report_stop as command
    else:
        from agent.cli import app as command
    command()


if __name__ == "__main__":
    main()
