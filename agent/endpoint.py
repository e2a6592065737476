"""What is wrong with a model server: it drops pictures, resizes them otherwise, or cuts prompts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from actions.space import Click
from agent.doctor import Finding, Health
from agent.policies.base import Observation, PolicyError, Usage
from agent.policies.chat import Message, Role
from agent.policies.openai import OpenAIPolicy
from agent.policies.profiles import PROFILES, Profile, profile_for, profile_named
from vision.frame import Frame
from vision.geometry import Box, Point

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
"""Two, because a model that sees nothing may still guess one."""
SCREEN = (1920, 1080)
TARGETS = (Point(480, 270), Point(1600, 900))
SQUARE = 120
"""Side in pixels; a click that misses its target by more than this is wrong."""
PROBE = 200
"""Words of a short prompt that tells how many tokens a word is to this server."""
TOKENS = 6000
"""Length of the long prompt; a server that cuts leaves 2,048 or 4,096 of them."""
CODE = "tangerine"
ANSWER = 512
"""Most tokens of a thought and a click; a model that never stops is not waited for longer."""


def examine_endpoint(
    url: str, api_key: str = "none", profile: str | None = None
) -> Iterator[Finding]:
    """Check that a server can be reached, lists models, sees, points, and reads to the end.

    Args:
        url: the API's root.
        api_key: its key.
        profile: what the model expects, None means what its name points to.
    """
    try:
        # Which profile fits does not matter for questions in words.
        policy = OpenAIPolicy(url, profile=PROFILES[0], api_key=api_key, timeout=60, max_retries=0)
    except PolicyError as error:
        yield Finding("endpoint", Health.MISSING, str(error), "start the server, correct the URL")
        return
    try:
        yield Finding("endpoint", Health.OK, f"{url} serves {', '.join(policy.models())}")
        yield _check_sight(policy)
        yield _check_length(policy)
        try:
            policy.profile = profile_named(profile) if profile else profile_for(policy.model)
        except ValueError as error:
            yield Finding("endpoint points", Health.OPTIONAL, "not asked", str(error))
        else:
            yield _check_pointing(policy)
    finally:
        policy.close()


def _check_sight(policy: OpenAIPolicy) -> Finding:
    """Show squares and ask for their colours: servers that drop pictures are found out."""
    name, question = "endpoint sees", "What colour is this square? Answer with one word."
    told: list[str] = []
    for colour, rgb in COLOURS.items():
        square = Frame(np.full((280, 280, 3), rgb, np.uint8), Box(0, 0, 280, 280))
        try:
            answer, _, spent = policy.ask((Message(Role.USER, (square, question)),), max_tokens=64)
        except PolicyError as error:
            return Finding(name, Health.MISSING, str(error), "serve a model that takes pictures")
        said = " ".join(answer.split())[:80]
        if colour not in said.lower():
            fix = "a model that only acts may say so; else the server does not hand on pictures"
            detail = f"asked for the colour of a {colour} square: {said!r}"
            return Finding(name, Health.OPTIONAL, detail, fix)
        told.append(f"a {colour} square")
    return Finding(name, Health.OK, f"{' and '.join(told)}, the last in {spent:.0f} ms")


def _check_length(policy: OpenAIPolicy) -> Finding:
    """Ask for what stands at the head of a long prompt: servers that cut it are found out."""
    name, words = "endpoint reads", PROBE
    try:
        _, usage = _recall(policy, words)
        words = int(TOKENS / max(1.0, usage.prompt_tokens / PROBE))
        answer, usage = _recall(policy, words)
    except PolicyError as error:
        return Finding(name, Health.OPTIONAL, str(error), "raise the server's context length")
    if 0 < usage.prompt_tokens < 0.8 * TOKENS:  # the short prompt's frame counted as words
        detail = f"of about {TOKENS} tokens only {usage.prompt_tokens} reached the model"
        return Finding(name, Health.MISSING, detail, "raise the server's context length")
    if CODE in answer.lower():
        return Finding(name, Health.OK, f"a prompt of {words} words to its end")
    detail = f"asked for the head of {words} words: {' '.join(answer.split())[:80]!r}"
    fix = "a model that only acts may say so; else the server cuts long prompts"
    return Finding(name, Health.OPTIONAL, detail, fix)


def _recall(policy: OpenAIPolicy, words: int) -> tuple[str, Usage]:
    """The answer to what stands before so many words, and what it cost."""
    question = f"The code is {CODE}.\n{'word ' * words}\nWhat is the code? Answer with one word."
    answer, usage, _ = policy.ask((Message(Role.USER, (question,)),), max_tokens=64)
    return answer, usage


def _check_pointing(policy: OpenAIPolicy) -> Finding:
    """Let it click on squares: servers that resize pictures in their own way are found out."""
    name, profile = "endpoint points", policy.profile
    scales: list[tuple[float, float]] = []
    for target in TARGETS:
        try:
            seen = Observation("Click on the red square.", _page(target), max_tokens=ANSWER)
            decision = policy.decide(seen)
        except PolicyError as error:
            return Finding(name, Health.MISSING, str(error), "see the server's log")
        clicks = [
            a for a in (decision.step.actions if decision.step else ()) if isinstance(a, Click)
        ]
        if not clicks:
            fix = f"is {profile.name} the right --profile for {policy.model}?"
            said = " ".join(decision.text.split())[:80]
            return Finding(name, Health.OPTIONAL, f"asked to click: {said!r}", fix)
        # The model's own coordinates: those of another resizing lie outside the map's extent.
        extent = decision.map.extent
        scales.append(
            (
                clicks[0].point.x / extent.width * SCREEN[0] / target.x,
                clicks[0].point.y / extent.height * SCREEN[1] / target.y,
            )
        )
    return _judged(name, profile, scales)


def _judged(name: str, profile: Profile, scales: list[tuple[float, float]]) -> Finding:
    """What the ratios of clicked to true places say."""
    errors = [
        max(abs(x - 1) * target.x, abs(y - 1) * target.y)
        for (x, y), target in zip(scales, TARGETS, strict=True)
    ]
    if max(errors) <= SQUARE:
        detail = f"at {len(TARGETS)} squares, at most {max(errors):.0f} pixels off ({profile.name})"
        return Finding(name, Health.OK, detail)
    ratios = [ratio for pair in scales for ratio in pair]
    mean = sum(ratios) / len(ratios)
    if max(ratios) - min(ratios) < 0.1 * mean:
        detail = f"every click at {mean:.2f} times the right place ({profile.name})"
        fix = "the server resizes pictures: give its processor the profile's max_pixels, "
        fix += f"{profile.max_pixels}, or choose another --profile"
        return Finding(name, Health.MISSING, detail, fix)
    detail = f"clicks up to {max(errors):.0f} pixels off ({profile.name})"
    return Finding(name, Health.OPTIONAL, detail, "another --profile, or a larger model")


def _page(target: Point) -> Frame:
    """A white screen with a red square around the target."""
    width, height = SCREEN
    pixels = np.full((height, width, 3), 255, np.uint8)
    half, x, y = SQUARE // 2, int(target.x), int(target.y)
    pixels[y - half : y + half, x - half : x + half] = (255, 0, 0)
    return Frame(pixels, Box(0, 0, width, height))
