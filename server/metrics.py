"""Numbers about the server in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from agent.policies.base import Usage

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """One server's counters; labels never hold anything that a client wrote."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "eyehand_requests",
            "Requests by how they ended.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "eyehand_request_seconds",
            "From a request's head to the end of its response.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "eyehand_tokens",
            "Tokens of prompts (cached: not computed again) and of answers.",
            ("kind",),
            registry=self._registry,
        )
        self._waiting = Gauge(
            "eyehand_queue_requests",
            "Requests that wait for the model or run on it.",
            registry=self._registry,
        )

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Report this as the queue's length."""
        self._waiting.set_function(length)

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def spent(self, usage: Usage) -> None:
        """Count one answer's tokens."""
        self._tokens.labels("prompt").inc(usage.prompt_tokens)
        self._tokens.labels("cached").inc(usage.cached_tokens)
        self._tokens.labels("completion").inc(usage.completion_tokens)

    def render(self) -> bytes:
        """All of it as text."""
        return generate_latest(self._registry)
