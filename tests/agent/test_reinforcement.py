"""Policy gradients against the exact answers of a gridworld."""

from __future__ import annotations

import copy
from functools import cache
from random import Random

import pytest
import torch

from actions.space import Click
from agent.environments.gridworld import Grid, Gridworld
from agent.learning.likelihood import Answer, Likelihoods, click_likelihoods, likelihoods
from agent.learning.reinforcement.bellman import optimal_values, policy_values
from agent.learning.reinforcement.clicking import Clicker, play, teach_to_walk
from agent.learning.reinforcement.exploring import exploring
from agent.learning.reinforcement.learner import Advantage, Learner, LearningError, Method
from agent.learning.reinforcement.objective import leash, policy_loss
from agent.learning.reinforcement.returns import (
    Trajectory,
    best_of_groups,
    group_relative,
    imitation,
    monte_carlo,
)
from agent.learning.samples import Question
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import tiny_model
from vision.geometry import Point

TOKENIZER = embedded_tokenizer()
GRID = Grid(("...G", ".#.P", "....", "####"))
GAMMA = 0.9


@cache
def walker() -> KimiVL:
    """A network that walks at random; for copying."""
    torch.manual_seed(0)
    model = tiny_model()
    assert teach_to_walk(model, TOKENIZER, GRID) > 0.95
    return model


def episodes(model: KimiVL, update: int, count: int, size: int = 1) -> list[Trajectory]:
    world, random = Gridworld(GRID), Random(update)
    clicker = Clicker(model, TOKENIZER, world.screens())
    seeds = [update * 1000 + number for number in range(count // size) for _ in range(size)]
    return [play(world, clicker, seed, random, 15) for seed in seeds]


def earned(model: KimiVL, best: bool = True) -> float:
    """What the policy earns from a random start, exactly."""
    screens = Gridworld(GRID).screens()
    table = Clicker(model, TOKENIZER, screens).table(GRID, screens, best)
    return float(policy_values(GRID.tabular(), table, GAMMA).mean())


@pytest.mark.parametrize("advantage", [Advantage.RETURN, Advantage.BASELINE, Advantage.GROUP])
def test_the_learned_policy_earns_what_the_bellman_equation_says(advantage: Advantage) -> None:
    optimum = float(optimal_values(GRID.tabular(), GAMMA).mean())
    model = copy.deepcopy(walker())
    assert earned(model, best=False) < optimum - 0.4
    leashed = 0.01 if advantage is Advantage.GROUP else 0.0
    method = Method(advantage, rate=1e-3, gamma=GAMMA, kl=leashed, chunk=10_000)
    learner = Learner(model, TOKENIZER, method, click_likelihoods)
    size = 8 if advantage is Advantage.GROUP else 1
    for update in range(60):
        learner.update(episodes(model, update, 64, size))
        if update % 5 == 4 and earned(model) == pytest.approx(optimum, abs=1e-9):
            break
    assert earned(model) == pytest.approx(optimum, abs=1e-9)
    assert earned(model, best=False) > optimum - 0.15


def test_a_learned_baseline_lowers_the_variance_of_the_gradient() -> None:
    model = copy.deepcopy(walker())
    method = Method(Advantage.BASELINE, rate=0.0, gamma=GAMMA, chunk=10_000)
    learner = Learner(model, TOKENIZER, method, click_likelihoods)
    for update in range(8):  # only the baseline learns: the rate of the network is zero
        learner.update(episodes(model, update, 64))
    gradients: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    for update in range(100, 115):
        played = episodes(model, update, 8)
        answers = [answer for one in played for answer in one.answers]
        with torch.no_grad():
            seen = click_likelihoods(model, answers, TOKENIZER)
        returns = monte_carlo(played, GAMMA)
        compared = learner.advantages(played, returns, seen.features)
        for baseline, advantages in ((False, returns), (True, compared)):
            gradients[baseline].append(learner.gradient(answers, seen.log_probs, advantages))
    plain, lowered = (torch.stack(gradients[key]).var(0).sum() for key in (False, True))
    assert lowered < 0.9 * plain


def test_rejection_sampling_walks_the_same_way() -> None:
    model = copy.deepcopy(walker())
    before = earned(model, best=False)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for update in range(15):
        kept = best_of_groups(episodes(model, update, 64, 8), solved=0.3)
        answers = [answer for one in kept for answer in one.answers]
        optimizer.zero_grad()
        (-click_likelihoods(model, answers, TOKENIZER).log_probs.mean()).backward()
        optimizer.step()
    assert earned(model, best=False) > before + 0.3


def test_imitation_is_a_policy_gradient() -> None:
    model = copy.deepcopy(walker())
    played = episodes(model, 3, 16, 8)
    answers = [answer for one in played for answer in one.answers]
    method = Method(Advantage.REJECTION, chunk=10_000, solved=0.3)
    learner = Learner(model, TOKENIZER, method, click_likelihoods)
    with torch.no_grad():
        seen = click_likelihoods(model, answers, TOKENIZER)
    advantages = learner.advantages(played, monte_carlo(played), seen.features)
    found = learner.gradient(answers, seen.log_probs, advantages)
    kept = [answer for one in best_of_groups(played, 0.3) for answer in one.answers]
    assert 0 < len(kept) < len(answers)
    (-click_likelihoods(model, kept, TOKENIZER).log_probs.mean()).backward()
    wanted = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    torch.testing.assert_close(found, torch.cat(wanted), rtol=1e-3, atol=1e-5)


def test_nothing_solved_is_nothing_to_imitate() -> None:
    unsolved = [a_trajectory("a", 0.0, 0.0), a_trajectory("b", 0.5)]
    assert imitation(unsolved, 1.0).tolist() == [0.0, 0.0, 0.0]
    assert imitation([*unsolved, a_trajectory("a", 1.0)], 1.0).tolist() == [0.0, 0.0, 0.0, 4.0]


def test_a_tight_leash_holds_the_policy_where_it_was() -> None:
    def distance(kl: float) -> float:
        model = copy.deepcopy(walker())
        method = Method(Advantage.GROUP, rate=1e-3, kl=kl, gamma=GAMMA, chunk=10_000)
        learner = Learner(model, TOKENIZER, method, click_likelihoods)
        for update in range(6):
            metrics = learner.update(episodes(model, update, 32, 8))
        return metrics["kl"]

    assert distance(3.0) < 0.5 * distance(1e-6)


def test_the_leash_estimates_the_divergence() -> None:
    generator = torch.Generator().manual_seed(1)
    policy, reference = (torch.randn(6, generator=generator).log_softmax(0) for _ in range(2))
    exact = (policy.exp() * (policy - reference)).sum()
    drawn = policy.exp().multinomial(200_000, replacement=True, generator=generator)
    assert float(leash(policy[drawn], reference[drawn])) == pytest.approx(float(exact), rel=0.02)
    assert leash(policy, policy) == 0


def test_the_gradient_is_that_of_reinforce_until_the_ratio_is_clipped() -> None:
    new = torch.tensor([-1.0, -2.0], requires_grad=True)
    advantages = torch.tensor([2.0, -3.0])
    policy_loss(new, new.detach(), advantages, 0.2).backward()
    assert new.grad is not None
    assert new.grad.tolist() == [-1.0, 1.5]
    far = torch.tensor([0.0, -3.0], requires_grad=True)
    policy_loss(far, torch.tensor([-1.0, -2.0]), advantages, 0.2).backward()
    assert far.grad is not None
    assert far.grad.tolist() == [0.0, 0.0]


def a_trajectory(group: str, *rewards: float) -> Trajectory:
    frame = Gridworld(GRID).screens()[0].frame
    answer = Answer(frame, Question("Go", Click(Point(1, 1))))
    return Trajectory((answer,) * len(rewards), rewards, group)


def test_returns_count_what_comes_later() -> None:
    two = [a_trajectory("a", 1.0, 0.0, 4.0), a_trajectory("b", 2.0)]
    assert monte_carlo(two, 0.5).tolist() == [2.0, 2.0, 4.0, 2.0]


def test_advantages_are_relative_to_the_group() -> None:
    group = [a_trajectory("a", 0.0, 1.0), a_trajectory("a", 0.0), a_trajectory("b", 1.0)]
    assert group_relative(group).tolist() == pytest.approx([1.0, 1.0, -1.0, 0.0])
    assert best_of_groups(group, 1.0) == [group[0], group[2]]


def test_groups_compare_what_is_discounted() -> None:
    """The way that earns most in all is not the best one when later rewards count for less."""
    slow, quick = a_trajectory("a", 0.0, 0.0, 1.0), a_trajectory("a", 0.9)
    assert group_relative([slow, quick]).tolist() == pytest.approx([1.0, 1.0, 1.0, -1.0])
    assert group_relative([slow, quick], 0.9).tolist() == pytest.approx([-1.0, -1.0, -1.0, 1.0])
    assert best_of_groups([slow, quick], 0.5, 0.9) == [quick]


def test_an_update_without_decisions_is_refused() -> None:
    learner = Learner(copy.deepcopy(walker()), TOKENIZER, Method(), click_likelihoods)
    with pytest.raises(LearningError, match="none to learn from"):
        learner.update([Trajectory((), (), "a")])


def test_a_loss_that_is_not_finite_stops_before_the_weights_change() -> None:
    def broken(model: KimiVL, answers: object, *_: object) -> Likelihoods:
        found = click_likelihoods(model, answers, TOKENIZER)  # type: ignore[arg-type]
        return Likelihoods(found.log_probs * float("nan"), found.features)

    model = copy.deepcopy(walker())
    before = model.pointer.key.weight.clone()  # type: ignore[union-attr]
    with pytest.raises(LearningError, match=r"the loss is nan; lower the rate"):
        Learner(model, TOKENIZER, Method(), broken).update([a_trajectory("a", 1.0)])
    assert torch.equal(model.pointer.key.weight, before)  # type: ignore[union-attr]


def test_likelihoods_of_one_answer_do_not_depend_on_its_company() -> None:
    screens = Gridworld(GRID).screens()
    asked = [
        Answer(seen.frame, Question(text, Click(Point(x, 7.0)), None, done))
        for seen, text, x, done in (
            (screens[0], "Go to green.", 7.0, ()),
            (screens[1], "Go", 21.0, (Click(Point(7.0, 7.0)),)),
            (screens[0], "Go to green.", 35.0, ()),
        )
    ]
    model = tiny_model()
    with torch.no_grad():
        together = likelihoods(model, [*asked, asked[0]], TOKENIZER)
        alone = [likelihoods(model, [answer], TOKENIZER) for answer in asked]
    for index, one in enumerate([*alone, alone[0]]):
        torch.testing.assert_close(together.log_probs[index], one.log_probs[0])
        torch.testing.assert_close(together.features[index], one.features[0], rtol=1e-4, atol=1e-5)


def test_exploring_draws_as_often_as_the_network_says() -> None:
    head = tiny_model().pointer
    assert head is not None
    keys, state, count = torch.randn(16, 16), torch.randn(1, 32), 1500
    model = tiny_model()
    model.pointer = head
    with torch.no_grad():
        wanted = head(state, keys)[0].softmax(-1)
        with exploring(model, seed=3):
            draws = [int(head(state, keys)[0].argmax()) for _ in range(count)]
        with exploring(model, seed=3):
            again = [int(head(state, keys)[0].argmax()) for _ in range(5)]
        assert int(head(state, keys)[0].argmax()) == int(wanted.argmax())
    found = torch.bincount(torch.tensor(draws), minlength=16) / count
    assert float((found - wanted).abs().max()) < 0.04
    assert again == draws[:5]
