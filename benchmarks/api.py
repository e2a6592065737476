"""The inference API under load: what it adds to the engine, and whether it lasts.

    python benchmarks/api.py [overhead] [soak] [throughput] [--minutes 2.5] [--clients 16]

Starts `eyehand serve` with the embedded model in a process of its own. `overhead` is the time at
the client minus the decision's own `total_ms`, one request after the other. `soak` keeps so many
clients busy; every request must be answered with an action, and the server's memory is read every
second. `throughput` runs 8 clients against `eyehand serve` and against `transformers serve`, both
with the same random weights. Each part takes about three minutes.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import io
import os
import platform
import signal
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
from _api_server import TOKEN, Served, eyehand, quantile
from _api_throughput import compare
from PIL import Image, ImageDraw

from agent.policies.scripted import ScriptedPolicy
from server.app import bind, prepare
from server.backend import Backend, PolicyChat
from server.settings import Settings
from server.tokens import Tokens

SCREENS = 8
SIZE = (320, 240)
LAST_RESORT = 900
"""Seconds after which the process says where it is, and ends."""


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


def overhead(server: Served, count: int = 60, seconds: float = 120) -> None:
    """Print what the server adds to a decision, over so many requests as there is time for."""
    added: list[float] = []
    decided: list[float] = []
    end = time.monotonic() + seconds
    with server.client() as client:
        for number in range(count + 5):
            if time.monotonic() > end and added:
                break
            request = body(number)
            start = time.perf_counter()
            answer = client.post("/v1/act", json=request)
            spent = (time.perf_counter() - start) * 1000
            own = answer.raise_for_status().json()["timing"]["total_ms"]
            if number >= 5:  # the first ones warm up
                added.append(spent - own)
                decided.append(own)
    print(f"decision p50 {statistics.median(decided):.1f} ms, {len(added)} requests of {SIZE}")
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


def main() -> None:
    """Run the parts that were asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["overhead", "soak", "throughput", []])
    parser.add_argument("--minutes", type=float, default=2.5, help="of the soak; 10 for the target")
    parser.add_argument("--clients", type=int, default=16, help="of the soak")
    parser.add_argument("--seconds", type=float, default=30, help="per server, of the throughput")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers end with us
    faulthandler.dump_traceback_later(LAST_RESORT + asked.minutes * 60, exit=True)
    parts = asked.parts or ["overhead", "soak", "throughput"]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load average before {load}", flush=True)
    if {"overhead", "soak"} & set(parts):
        with eyehand() as server:
            if "overhead" in parts:
                overhead(server)
                bare()
            if "soak" in parts:
                soak(server, asked.clients, asked.minutes)
    if "throughput" in parts:
        compare(8, asked.seconds)


if __name__ == "__main__":
    main()
