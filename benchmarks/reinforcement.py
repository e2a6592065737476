"""Policy gradients against the Bellman optimum of a gridworld that is drawn as a GUI.

    python benchmarks/reinforcement.py [--seeds 3] [--updates 60]

A tiny network of the embedded model's classes first learns a random walk; then each method learns
from episodes of clicks. "earned" is exact: the learned click probabilities are put into the Bellman
equation of the world, so no luck of episodes is in it. The variance is that of the policy's
gradient over batches of 8 episodes of the random walk, summed over all weights.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from random import Random

import torch
from rich.console import Console
from rich.table import Table

from agent.environments.gridworld import Grid, Gridworld
from agent.learning.likelihood import click_likelihoods
from agent.learning.recipe import embedded_config
from agent.learning.reinforcement.bellman import optimal_values, policy_values
from agent.learning.reinforcement.clicking import Clicker, play, teach_to_walk
from agent.learning.reinforcement.learner import Advantage, Learner, Method
from agent.learning.reinforcement.returns import Trajectory, best_of_groups, monte_carlo
from agent.model.config import KimiVLConfig, PointerConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from vision.moonvit import VisionConfig

TOKENIZER = embedded_tokenizer()
GRID = Grid(("...G", ".#.P", "....", "####"))
GAMMA = 0.9
EPISODES, GROUP = 64, 8


def network(seed: int) -> KimiVL:
    """A tiny network that walks at random."""
    media = embedded_config().media_placeholder_token_id
    vision = VisionConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        init_pos_emb_height=8, init_pos_emb_width=8, stem_channels=(4, 8),
    )  # fmt: skip
    text = TextConfig(
        vocab_size=TOKENIZER.vocab_size, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=48, moe_intermediate_size=24,
        n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, kv_lora_rank=16,
        qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=16, max_position_embeddings=512,
    )  # fmt: skip
    model = KimiVL(KimiVLConfig(vision, text, media, PointerConfig(size=16)))
    model.initialize(seed)
    teach_to_walk(model, TOKENIZER, GRID)
    return model


def episodes(model: KimiVL, update: int, count: int, size: int) -> list[Trajectory]:
    """Episodes from `count / size` starts."""
    world, random = Gridworld(GRID), Random(update)
    clicker = Clicker(model, TOKENIZER, world.screens())
    starts = [update * 1000 + number for number in range(count // size) for _ in range(size)]
    return [play(world, clicker, start, random, 15) for start in starts]


def earned(model: KimiVL, best: bool) -> float:
    """What the policy earns from a random start, exactly."""
    screens = Gridworld(GRID).screens()
    table = Clicker(model, TOKENIZER, screens).table(GRID, screens, best)
    return float(policy_values(GRID.tabular(), table, GAMMA).mean())


def learn(model: KimiVL, method: str, updates: int) -> tuple[int | None, float, float]:
    """(updates until the likeliest clicks are optimal, what they earn at the end, what all do)."""
    optimum = float(optimal_values(GRID.tabular(), GAMMA).mean())
    size = GROUP if method in ("group", "rejection") else 1
    advantage = Advantage(method) if method != "rejection" else Advantage.GROUP
    leashed = 0.01 if method == "group" else 0.0
    learner = Learner(
        model, TOKENIZER, Method(advantage, 1e-3, gamma=GAMMA, kl=leashed, chunk=10_000),
        click_likelihoods,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    reached = None
    for update in range(updates):
        played = episodes(model, update, EPISODES, size)
        if method == "rejection":
            imitate(model, optimizer, played)
        else:
            learner.update(played)
        if reached is None and update % 5 == 4 and optimum - earned(model, True) < 1e-9:
            reached = update + 1
    return reached, earned(model, True), earned(model, False)


def imitate(model: KimiVL, optimizer: torch.optim.Optimizer, played: list[Trajectory]) -> None:
    """One step towards the best episode of each group."""
    answers = [answer for one in best_of_groups(played, 0.3) for answer in one.answers]
    optimizer.zero_grad()
    (-click_likelihoods(model, answers, TOKENIZER).log_probs.mean()).backward()
    optimizer.step()


def variance(model: KimiVL, batches: int = 30) -> dict[str, float]:
    """Variance of the gradient without a baseline and with a learned one."""
    method = Method(Advantage.BASELINE, 0.0, gamma=GAMMA, chunk=10_000)
    learner = Learner(model, TOKENIZER, method, click_likelihoods)
    for update in range(10):
        learner.update(episodes(model, update, EPISODES, 1))
    found: dict[str, list[torch.Tensor]] = {"return": [], "baseline": []}
    for update in range(100, 100 + batches):
        played = episodes(model, update, 8, 1)
        answers = [answer for one in played for answer in one.answers]
        with torch.no_grad():
            seen = click_likelihoods(model, answers, TOKENIZER)
        returns = monte_carlo(played, GAMMA)
        compared = learner.advantages(played, returns, seen.features)
        for name, advantages in (("return", returns), ("baseline", compared)):
            found[name].append(learner.gradient(answers, seen.log_probs, advantages))
    return {name: float(torch.stack(rows).var(0).sum()) for name, rows in found.items()}


def main() -> None:
    """Learn, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optimum = float(optimal_values(GRID.tabular(), GAMMA).mean())
    walkers = [network(seed) for seed in range(options.seeds)]
    table = Table(
        "method", "updates to the optimum, by seed", "earned, likeliest clicks",
        "earned, all clicks", title=f"Bellman optimum {optimum:.4f}",
    )  # fmt: skip
    start = [f"{statistics.fmean(earned(w, best) for w in walkers):.4f}" for best in (True, False)]
    table.add_row("random walk", "–", *start)
    for method in ("return", "baseline", "group", "rejection"):
        torch.manual_seed(0)
        rows = [learn(copy.deepcopy(walker), method, options.updates) for walker in walkers]
        reached = ", ".join(str(row[0] or "not reached") for row in rows)
        means = [f"{statistics.fmean(row[column] for row in rows):.4f}" for column in (1, 2)]
        table.add_row(method, reached, *means)
    Console().print(table)
    ratios = []
    for walker in walkers:
        found = variance(copy.deepcopy(walker))
        ratios.append(f"{found['baseline'] / found['return']:.2f}")
    Console().print(f"gradient variance with a learned baseline / without: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
