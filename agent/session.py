"""One recorded run on a display: the parts of an agent put together and taken apart again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeGuard

from actions.backends.base import Backend
from actions.executor import Executor, Human
from actions.guard import Guard
from actions.secrets import SecretStore
from agent.attendance import Attendance
from agent.episodes.format import Head
from agent.episodes.rules import rules_json
from agent.episodes.withhold import Secrets
from agent.episodes.writer import EpisodeWriter
from agent.hands import Vault
from agent.loop import Agent
from agent.policies.base import Policy
from agent.run import Consent, Listener, Patience, RunResult, Task, nobody
from agent.signals import interrupt_main, on_signals
from agent.stopping import announced
from agent.veil import Veiled
from vision.capture import Eyes, Screen


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
    secrets: SecretStore | None = None,
    patience: Patience | None = None,
) -> RunResult:
    """Let an agent work on a task, in the main thread; signals stop it in order.

    Args:
        task: what to do.
        policy: what decides; stays open.
        screen: what it looks at; stays open.
        backend: where its events go; stays open.
        episode: a new folder for the record.
        listener: is told how it goes.
        attended: somebody sits in front of the display, the one in $DISPLAY: the corners are the
            fail-safe, and on X11 their own input pauses the run and a strip says how to stop it.
        guard: what may run; None means the default rules.
        consent: asked where a rule wants a human to agree.
        secrets: what `{{secret:NAME}}` stands for; None means the environment and the keyring.
        patience: how much the model is forgiven.

    Raises:
        EpisodeError: the record cannot be begun.
        BackendError: the person at the display cannot be watched for.
    """
    seat = Attendance(screen, None) if attended and _is_x11(screen) else None
    agent = agent_for(
        task, policy, screen, backend, episode, listener, attended=attended, guard=guard,
        consent=consent, secrets=secrets, patience=patience, seat=seat,
        human=seat.human if seat else None,
    )  # fmt: skip

    def halt() -> None:
        agent.stop()
        interrupt_main()

    with on_signals(agent.interrupt), announced(), seat.over(halt) if seat else nullcontext():
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
    secrets: SecretStore | None = None,
    patience: Patience | None = None,
    seat: Attendance | None = None,
    human: Human | None = None,
    look: Callable[[Eyes], Eyes] = lambda eyes: eyes,
) -> Agent:
    """The agent of `work` before it runs, for any thread; what stops it is the caller's business.

    The strip of a `seat` is veiled; watching for that person, too, is the caller's business. While
    `human` is at work, nothing is performed. `look` is given the eyes of the hands and makes those
    with which a step begins, which may wait until it may.

    Raises:
        EpisodeError: the record cannot be begun.
    """
    about = policy.describe()
    display = {
        "box": list(screen.box),
        "monitors": [list(monitor.box) for monitor in screen.monitors()],
    }
    dialect = about.get("dialect", "uitars")
    eyes = Veiled(screen, *([seat.indicator.box] if seat else []))
    executor = Executor(backend, eyes, fail_safe=attended, human=human)
    guard = guard or Guard()
    guard.window = backend.window
    withhold, lookup = _withheld(secrets or SecretStore())
    head = Head(task.instruction, dialect, display, about, rules=rules_json(guard.rules))
    recorder = EpisodeWriter(episode, head, withhold=withhold)
    vault = Vault(lookup, eyes)
    return Agent(policy, executor, look(eyes), recorder, listener, patience, guard, consent, vault)


def _is_x11(screen: Eyes) -> TypeGuard[Screen]:
    return isinstance(screen, Screen) and sys.platform == "linux"


def _withheld(store: SecretStore) -> tuple[Secrets, Callable[[str], str]]:
    """What takes secrets out of the record, and a lookup that adds each one that is used."""
    withhold = Secrets(store.known())

    def lookup(name: str) -> str:
        value = store(name)
        withhold.add(value)
        return value

    return withhold, lookup
