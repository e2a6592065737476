"""Policy gradients against the Bellman optimum of a gridworld that is drawn as a GUI.

    python benchmarks/reinforcement.py [--seeds 5] [--workers 2] [--out DIR]

A tiny network of the embedded model's classes first learns a random walk; then each method learns
from episodes of clicks. What a policy earns is exact: the learned click probabilities are put into
the Bellman equation of the world, so no luck of episodes is in it. The variance is that of the
policy's gradient over batches of 8 episodes of the random walk, summed over all weights.

Takes some eight minutes of one core, half as long on two. Page and picture go to docs/benchmarks,
or to `--out`.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.markdown import Markdown

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

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks"
TOKENIZER = embedded_tokenizer()
GRID = Grid(("...G", ".#.P", "....", "####"))
GAMMA = 0.9
EPISODES, GROUP = 64, 8
EVERY = 5
"""Updates between two looks at the policy."""
NAMES = {
    "return": "REINFORCE", "baseline": "REINFORCE, learned baseline", "group": "group-relative",
    "rejection": "rejection sampling",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What a policy earns from a random start, exactly.

    Attributes:
        update: when.
        best: clicking where it is likeliest.
        drawn: clicking as often as it says.
    """

    update: int
    best: float
    drawn: float


@cache
def network(seed: int) -> KimiVL:
    """A tiny network that walks at random; for copying."""
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


def optimum() -> float:
    """What the best policy earns from a random start, by value iteration."""
    return float(optimal_values(GRID.tabular(), GAMMA).mean())


def look(model: KimiVL, update: int) -> Look:
    """Put the network's clicks into the Bellman equation."""
    screens = Gridworld(GRID).screens()
    clicker = Clicker(model, TOKENIZER, screens)
    best, drawn = (
        float(policy_values(GRID.tabular(), clicker.table(GRID, screens, likeliest), GAMMA).mean())
        for likeliest in (True, False)
    )
    return Look(update, best, drawn)


def learn(seed: int, method: str, updates: int) -> list[Look]:
    """How the policy does, from the random walk on."""
    model = copy.deepcopy(network(seed))
    torch.manual_seed(seed)
    size = GROUP if method in ("group", "rejection") else 1
    advantage = Advantage(method) if method != "rejection" else Advantage.GROUP
    leashed = 0.01 if method == "group" else 0.0
    learner = Learner(
        model, TOKENIZER, Method(advantage, 1e-3, gamma=GAMMA, kl=leashed, chunk=10_000),
        click_likelihoods,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    looks = [look(model, 0)]
    for update in range(updates):
        played = episodes(model, update, EPISODES, size)
        if method == "rejection":
            imitate(model, optimizer, played)
        else:
            learner.update(played)
        if (update + 1) % EVERY == 0:
            looks.append(look(model, update + 1))
    return looks


def imitate(model: KimiVL, optimizer: torch.optim.Optimizer, played: list[Trajectory]) -> None:
    """One step towards the best episode of each group."""
    answers = [answer for one in best_of_groups(played, 0.3, GAMMA) for answer in one.answers]
    optimizer.zero_grad()
    (-click_likelihoods(model, answers, TOKENIZER).log_probs.mean()).backward()
    optimizer.step()


def variances(seed: int, batches: int = 60) -> dict[str, float]:
    """Variance of the gradient without a baseline, with a learned one, and with the true values."""
    model = copy.deepcopy(network(seed))
    torch.manual_seed(seed)
    method = Method(Advantage.BASELINE, 0.0, gamma=GAMMA, chunk=10_000)
    learner = Learner(model, TOKENIZER, method, click_likelihoods)
    for update in range(10):  # only the baseline learns: the rate of the network is zero
        learner.update(episodes(model, update, EPISODES, 1))
    screens = Gridworld(GRID).screens()
    table = Clicker(model, TOKENIZER, screens).table(GRID, screens)
    values = policy_values(GRID.tabular(), table, GAMMA)
    known = {seen.frame.digest: float(v) for seen, v in zip(screens, values, strict=True)}
    found: dict[str, list[torch.Tensor]] = {"none": [], "learned": [], "exact": []}
    for update in range(100, 100 + batches):
        played = episodes(model, update, 8, 1)
        answers = [answer for one in played for answer in one.answers]
        with torch.no_grad():
            seen = click_likelihoods(model, answers, TOKENIZER)
        returns = monte_carlo(played, GAMMA)
        compared = {
            "none": returns,
            "learned": learner.advantages(played, returns, seen.features),
            "exact": returns - torch.tensor([known[a.frame.digest] for a in answers]),
        }
        for name, advantages in compared.items():
            found[name].append(learner.gradient(answers, seen.log_probs, advantages))
    return {name: float(torch.stack(rows).var(0).sum()) for name, rows in found.items()}


def reached(looks: Sequence[Look]) -> str:
    """The first look at which the likeliest clicks were as good as any policy can be."""
    first = (str(one.update) for one in looks if optimum() - one.best < 1e-9)
    return next(first, "not reached")


def page(runs: Mapping[str, Sequence[Sequence[Look]]], noise: Sequence[Mapping[str, float]]) -> str:
    """The results in Markdown."""
    rows = []
    for method, looks in runs.items():
        when = ", ".join(reached(one) for one in looks)
        ends = [one[-1] for one in looks]
        gap = max(optimum() - end.best for end in ends)
        drawn = [end.drawn for end in ends]
        rows.append(
            f"| {NAMES[method]} | {when} | {gap:.1e} | {statistics.fmean(drawn):.4f} | "
            f"{min(drawn):.4f} |"
        )
    walk = statistics.fmean(one[0].drawn for one in runs["return"])
    spread = [
        f"| {name} | " + " | ".join(f"{one[key] / one['none']:.2f}" for one in noise) + " |"
        for key, name in (("learned", "learned"), ("exact", "exact values of the policy"))
    ]
    updates, seeds = runs["return"][0][-1].update, len(noise)
    return "\n".join([
        "# Reinforcement on a world whose answer is known",
        "",
        "    python benchmarks/reinforcement.py",
        "",
        f"A gridworld of {len(GRID.states)} free cells is drawn as a GUI; a click on a cell beside "
        "the agent moves it there, one in five",
        "moves slips aside. A tiny network of the embedded model's classes sees pixels and chooses "
        "a patch; it starts from a random walk,",
        f"which earns {walk:.4f}. The Bellman optimum by value iteration is **{optimum():.4f}** "
        f"(mean over starts, discount {GAMMA}). {seeds} seeds,",
        f"{updates} updates of {EPISODES} episodes.",
        "",
        "| method | updates until optimal, by seed | likeliest clicks: largest gap to the optimum "
        "at the end | all clicks earn, mean | worst seed |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "![What the policies earn over the updates](reinforcement.png)",
        "",
        "Variance of the gradient at the random walk, relative to REINFORCE without a baseline, by "
        "seed:",
        "",
        "| baseline |" + "".join(f" seed {seed} |" for seed in range(seeds)),
        "|---|" + "---|" * seeds,
        *spread,
        "",
    ])  # fmt: skip


def draw(runs: Mapping[str, Sequence[Sequence[Look]]], path: Path) -> None:
    """The world as the network sees it, and what the policies earn; bands are all seeds."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    world, curves = figure.subplots(1, 2, width_ratios=(1, 2.4))
    world.imshow(GRID.draw(GRID.states[-4]))
    world.set_axis_off()
    world.set_title("what the network sees")
    curves.axhline(optimum(), color="black", linestyle="--", label="Bellman optimum")
    for method, looks in runs.items():
        updates = [one.update for one in looks[0]]
        earned = [[one.drawn for one in row] for row in zip(*looks, strict=True)]
        (line,) = curves.plot(updates, [statistics.fmean(e) for e in earned], label=NAMES[method])
        low, high = [min(e) for e in earned], [max(e) for e in earned]
        curves.fill_between(updates, low, high, color=line.get_color(), alpha=0.15)
    curves.set_xlabel(f"updates of {EPISODES} episodes")
    curves.set_ylabel("earned by all clicks, exactly")
    curves.grid(alpha=0.3)
    curves.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Learn, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    console, seeds, begun = Console(), range(options.seeds), time.monotonic()
    spawned = get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned, torch.set_num_threads, (1,)) as pool:
        learning = {
            method: [pool.submit(learn, seed, method, options.updates) for seed in seeds]
            for method in NAMES
        }
        measuring = [pool.submit(variances, seed) for seed in seeds]
        runs = {method: [one.result() for one in jobs] for method, jobs in learning.items()}
        noise = [one.result() for one in measuring]
    text = page(runs, noise)
    console.print(Markdown(text))
    console.print(f"{(time.monotonic() - begun) / 60:.1f} minutes with {options.workers} workers")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "reinforcement.md").write_text(text, "utf-8")
    draw(runs, options.out / "reinforcement.png")


if __name__ == "__main__":
    main()
