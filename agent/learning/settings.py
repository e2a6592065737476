"""What only some training stages need to know; tables of their recipes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapters:
    """How large the low-rank adapters are that learn while all else rests (see `lora`).

    Attributes:
        rank: of each of them.
        alpha: their strength; None means twice the rank.
        where: pattern of the last part of the name of each map that gets one; None: all maps.
    """

    rank: int = 8
    alpha: float | None = None
    where: str | None = None


@dataclass(frozen=True)
class Preference:
    """How to learn from pairs.

    Attributes:
        beta: see `dpo_loss`.
        imitate: weight of the corrections' own negative log-likelihood: without it, DPO may make
            both answers unlikely as long as the mistake falls faster.
    """

    beta: float = 0.1
    imitate: float = 0.2


@dataclass(frozen=True)
class Reinforcement:
    """How to learn from episodes; one update is one step of the recipe.

    Attributes:
        tasks: MiniWoB++ tasks, none of them held out; best those solved 20 to 90 % of the time.
        groups: pages per update, drawn evenly from the tasks.
        size: episodes per page.
        max_steps: the most decisions per episode.
        advantage: what a decision is compared with: "group" (the other episodes of its page),
            "rejection" (nothing: the best solved episode of each page is imitated) or "return".
        temperature: of the choices.
        kl: weight of the leash to the model that the stage began from.
        clip: see `reinforcement.objective.policy_loss`.
        passes: gradient steps per update.
    """

    tasks: tuple[str, ...]
    groups: int = 8
    size: int = 8
    max_steps: int = 3
    advantage: str = "group"
    temperature: float = 1.0
    kl: float = 0.02
    clip: float | None = 0.2
    passes: int = 1
