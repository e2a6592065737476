"""Tokens a second of `eyehand serve` and of `transformers serve`, same weights, same clients."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import _api_weights
import httpx
from _api_server import Served, eyehand, quantile
from _transformers_serve import transformers_serve

PROMPT = 300
"""Bytes of a question, which are tokens here; no two questions begin alike."""
ANSWER = 64
"""Tokens of an answer."""
COMPARED = range(10**6, 10**6 + 5)
"""Questions whose answers are compared, before the clients come."""


@dataclass
class Seen:
    """What the clients of one server saw."""

    tokens: int = 0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def compare(clients: int, seconds: float) -> None:
    """Print both servers' throughput, one after the other, and their ratio."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        count = _api_weights.write(folder / "ours", folder / "theirs")
        print(f"{count / 1e6:.1f} M weights, {PROMPT}-byte questions, {ANSWER}-token answers, "
              f"{clients} clients, {seconds:g} s each")  # fmt: skip
        rates: dict[str, float] = {}
        said: dict[str, list[str]] = {}
        for kind, start in {
            "eyehand serve": lambda: eyehand("--model", str(folder / "ours")),
            "transformers serve": lambda: transformers_serve(folder / "theirs", folder),
            "  with --continuous-batching": lambda: transformers_serve(
                folder / "theirs", folder, "--continuous-batching"
            ),
        }.items():
            try:
                with start() as running:
                    said[kind] = [ask(running, question(n))["text"] for n in COMPARED]
                    rates[kind] = throughput(kind, running, clients, seconds)
            except (RuntimeError, subprocess.SubprocessError) as error:
                print(f"{kind}: cannot: {str(error).strip()[-600:]}")
    ours = rates.pop("eyehand serve", 0.0)
    for kind, rate in rates.items():
        if rate:
            print(f"eyehand / {kind.strip()}: {ours / rate:.2f}x (target 3x)")
    same = sum(len(set(answers)) == 1 for answers in zip(*said.values(), strict=True))
    print(f"the same answer from {' and '.join(said)}: {same} of {len(COMPARED)}")


def throughput(kind: str, served: Served, clients: int, seconds: float) -> float:
    """Print one server's line; its completion tokens a second."""
    seen, begun = Seen(), time.monotonic()
    end = begun + seconds
    threads = [threading.Thread(target=_busy, args=(served, seen, end, n)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = seen.tokens / (time.monotonic() - begun)
    if not seen.seconds:
        raise RuntimeError(f"no answer; {seen.errors[:3]}")
    p50 = quantile(seen.seconds, 0.5)
    print(f"{kind}: {rate:.1f} tokens/s, {len(seen.seconds)} answers, p50 {p50 * 1000:.0f} ms, "
          f"errors {len(seen.errors)} {seen.errors[:1] or ''}")  # fmt: skip
    return rate


def _busy(served: Served, seen: Seen, end: float, client: int) -> None:
    number = 0
    while time.monotonic() < end:
        number += 1
        start = time.perf_counter()
        try:
            tokens, error = ask(served, question(1000 * client + number))["tokens"], ""
        except RuntimeError as failed:
            tokens, error = 0, str(failed)
            time.sleep(0.5)
        with seen.lock:
            seen.tokens += tokens
            if error:
                seen.errors.append(error)
            else:
                seen.seconds.append(time.perf_counter() - start)


def ask(served: Served, text: str) -> dict[str, Any]:
    """One answer: its text, and how many tokens it has.

    Raises:
        RuntimeError: the server refuses or fails.
    """
    request = {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": ANSWER,
        "temperature": 0,
    }
    try:
        with served.client() as client:
            request["model"] = client.get("/v1/models").json()["data"][0]["id"]
            answer = client.post("/v1/chat/completions", json=request).raise_for_status().json()
        return {
            "text": answer["choices"][0]["message"]["content"],
            "tokens": answer["usage"]["completion_tokens"],
        }
    except (httpx.HTTPError, KeyError) as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def question(number: int) -> str:
    """A text that no other one begins like."""
    return f"{number:07d} ".ljust(PROMPT, "?")
