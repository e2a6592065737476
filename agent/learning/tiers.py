"""Groups of MiniWoB++ tasks: by what they take, and by who reports them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from agent.environments.miniwob import tasks
from agent.learning.harvest import HELD_OUT

PUBLISHED = {
    "pix2act": "Pix2Act (282 M, arXiv 2306.00245): 96.2 % with tree search, 66.5 % without",
    "all": "CC-Net without DOM (arXiv 2202.08137): 24.0 % of 104 tasks",
}
"""What others report from pixels alone, by group; both count partial rewards, which we do not."""


@cache
def tiers() -> dict[str, tuple[str, ...]]:
    """Names of tasks by the name of their group; a task may be in several groups."""
    text = Path(__file__).with_name("tiers.toml").read_text("utf-8")
    groups = {name: tuple(names) for name, names in tomllib.loads(text).items()}
    return {**groups, "held-out": tuple(sorted(HELD_OUT)), "all": tasks()}


def tasks_named(text: str) -> tuple[str, ...]:
    """The tasks that a list of tasks and groups means, each once, in the order asked for.

    Args:
        text: names separated by commas, such as "held-out,click-test"; a name that is no group is
            taken for a task.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(dict.fromkeys(task for name in names for task in tiers().get(name, (name,))))
