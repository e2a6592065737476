"""The inference API under load: what it adds to the engine, and whether it lasts.

    python benchmarks/api.py [overhead] [soak] [--minutes 10] [--clients 16]

Starts `eyehand serve` with the embedded model in a process of its own. `overhead` is the time at
the client minus the decision's own `total_ms`, one request after the other. `soak` keeps so many
clients busy; every request must be answered with an action, and the server's memory is read every
second.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from PIL import Image, ImageDraw

from agent.policies.scripted import ScriptedPolicy
from server.app import bind, prepare
from server.backend import Backend, PolicyChat
from server.settings import Settings
from server.tokens import Tokens

TOKEN = "b" * 43
SCREENS = 8
SIZE = (320, 240)


@dataclass(frozen=True)
class Served:
    """A running server: its root URL and its process id."""

    url: str
    pid: int

    def client(self) -> httpx.Client:
        """One client with its own connection."""
        header = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=header, timeout=300)

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def served() -> Iterator[Served]:
    """`eyehand serve` with the embedded model, as a user starts it."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from agent.cli import app; app()", "serve", "--port", "0"]
        environ = os.environ | {"EYEHAND_TOKEN": TOKEN, "XDG_STATE_HOME": folder}
        log = Path(folder) / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen(command, env=environ, stderr=stderr)
        try:
            while not (found := re.search(r"listens on (\S+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            yield Served(found[1], process.pid)
        finally:
            process.terminate()
            process.wait(60)


def screen(number: int) -> str:
    """A page with a button at a place of its own, as a data URL."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    left, top = 20 + 25 * number, 30 + 15 * number
    draw.rectangle((left, top, left + 60, top + 24), fill="#ddd", outline="#777")
    draw.text((left + 22, top + 6), "OK", fill="black")
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def body(number: int) -> dict[str, str]:
    """One request of `/v1/act`."""
    return {"instruction": "Click on the OK button.", "screenshot": screen(number % SCREENS)}


def overhead(server: Served, count: int = 60) -> None:
    """Print what the server adds to a decision."""
    added, decided = [], []
    with server.client() as client:
        for number in range(count + 5):
            request = body(number)
            start = time.perf_counter()
            answer = client.post("/v1/act", json=request)
            spent = (time.perf_counter() - start) * 1000
            own = answer.raise_for_status().json()["timing"]["total_ms"]
            if number >= 5:  # the first ones warm up
                added.append(spent - own)
                decided.append(own)
    print(f"decision p50 {statistics.median(decided):.1f} ms, {count} requests of {SIZE}")
    print(f"overhead p50 {statistics.median(added):.1f} ms, p90 {quantile(added, 0.9):.1f} ms")


def bare(count: int = 200) -> None:
    """Print the processor time of a request whose decision takes none, client included."""
    policy = ScriptedPolicy(["Thought: go\nAction: click(start_box='(500,500)')"] * (count + 5))
    settings = Settings(port=0)
    with bind(settings) as listener:
        backend = Backend("bare", policy, PolicyChat(policy, 4096))
        server = prepare(backend, settings, Tokens(TOKEN))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Served(url, os.getpid()).client() as client:
            requests = [body(number) for number in range(SCREENS)]
            for number in range(count + 5):
                if number == 5:
                    start = time.process_time()
                client.post("/v1/act", json=requests[number % SCREENS]).raise_for_status()
            spent = (time.process_time() - start) * 1000 / count
        server.should_exit = True
        thread.join()
    print(f"processor time of a request without a decision, client included: {spent:.1f} ms")


@dataclass
class Tally:
    """What the clients of a soak saw; seconds, and statuses or kinds of errors."""

    seconds: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def soak(server: Served, clients: int, minutes: float) -> None:
    """Print errors, lost requests, memory and latencies of so many busy clients."""
    tally, end = Tally(), time.monotonic() + minutes * 60
    threads = [threading.Thread(target=_busy, args=(server, tally, end, n)) for n in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    memory: list[tuple[float, float]] = []
    while any(thread.is_alive() for thread in threads):
        memory.append((time.monotonic() - start, server.megabytes()))
        time.sleep(1)
    answered = sum(tally.ends.values())
    errors = {kind: n for kind, n in tally.ends.items() if kind != "200"}
    p50, p99 = quantile(tally.seconds, 0.5), quantile(tally.seconds, 0.99)
    warm = next((mb for at, mb in memory if at >= min(60, minutes * 30)), memory[-1][1])
    last = statistics.median([mb for _, mb in memory[-10:]])
    print(
        f"{clients} clients, {minutes:g} min: {tally.sent} requests, {len(errors)} kinds of error"
    )
    print(f"errors {errors or 0}, lost {tally.sent - answered}, {answered / (minutes * 60):.1f}/s")
    print(f"latency p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, ratio {p99 / p50:.2f}")
    print(f"memory {warm:.0f} MB after the first minute, {last:.0f} MB at the end: "
          f"{(last / warm - 1) * 100:+.1f} %")  # fmt: skip


def _busy(server: Served, tally: Tally, end: float, number: int) -> None:
    """One client that asks again as soon as it is answered."""
    with server.client() as client:
        while time.monotonic() < end:
            request = body(number)
            number += 1
            with tally.lock:
                tally.sent += 1
            start = time.perf_counter()
            try:
                answer = client.post("/v1/act", json=request)
                kind = str(answer.status_code)
            except httpx.HTTPError as error:
                kind = type(error).__name__
            with tally.lock:
                tally.seconds.append(time.perf_counter() - start)
                tally.ends[kind] += 1


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all is not above."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def main() -> None:
    """Run the parts that were asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["overhead", "soak", []])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=16)
    asked = parser.parse_args()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load average before {load}")
    with served() as server:
        if not asked.parts or "overhead" in asked.parts:
            overhead(server)
            bare()
        if not asked.parts or "soak" in asked.parts:
            soak(server, asked.clients, asked.minutes)


if __name__ == "__main__":
    main()
