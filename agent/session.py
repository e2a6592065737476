"""One recorded run on a display: the parts of an agent put together and taken apart again."""

from __future__ import annotations

from pathlib import Path

from actions.backends.base import Backend
from actions.executor import Executor
from actions.guard import Guard
from agent.episodes.format import Head
from agent.episodes.rules import rules_json
from agent.episodes.writer import EpisodeWriter
from agent.loop import Agent
from agent.policies.base import Policy
from agent.run import Consent, Listener, RunResult, Task, nobody
from agent.signals import on_signals
from vision.capture import Eyes


def work(
    task: Task,
    policy: Policy,
    screen: Eyes,
    backend: Backend,
    episode: Path,
    listener: Listener,
    *,
    attended: bool = False,
    guard: Guard | None = None,
    consent: Consent = nobody,
) -> RunResult:
    """Let an agent work on a task, in the main thread; signals stop it in order.

    Args:
        task: what to do.
        policy: what decides; stays open.
        screen: what it looks at; stays open.
        backend: where its events go; stays open.
        episode: a new folder for the record.
        listener: is told how it goes.
        attended: somebody sits in front of the display: a corner of it is the fail-safe.
        guard: what may run; None means the default rules.
        consent: asked where a rule wants a human to agree.

    Raises:
        EpisodeError: the record cannot be begun.
    """
    agent = agent_for(
        task, policy, screen, backend, episode, listener,
        attended=attended, guard=guard, consent=consent,
    )  # fmt: skip
    with on_signals(agent.interrupt):
        return agent.run(task)


def agent_for(
    task: Task,
    policy: Policy,
    screen: Eyes,
    backend: Backend,
    episode: Path,
    listener: Listener,
    *,
    attended: bool = False,
    guard: Guard | None = None,
    consent: Consent = nobody,
) -> Agent:
    """The agent of `work` before it runs, for any thread; what stops it is the caller's business.

    Raises:
        EpisodeError: the record cannot be begun.
    """
    about = policy.describe()
    display = {
        "box": list(screen.box),
        "monitors": [list(monitor.box) for monitor in screen.monitors()],
    }
    dialect = about.get("dialect", "uitars")
    executor = Executor(backend, screen, fail_safe=attended)
    guard = guard or Guard()
    head = Head(task.instruction, dialect, display, about, rules=rules_json(guard.rules))
    recorder = EpisodeWriter(episode, head)
    return Agent(policy, executor, screen, recorder, listener, guard=guard, consent=consent)
