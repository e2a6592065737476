"""What may happen to a training: a full disk, a cut shard, a kill, a dead browser, company."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.environments.browser import BrowserError
from agent.learning.demonstrate import demonstrate
from agent.learning.recipe import Recipe
from agent.learning.samples import ShardError, write_shard
from agent.learning.stage import plot_curves
from agent.learning.stream import Stream, data_hash
from agent.learning.train import Trainer, TrainingError
from agent.model.checkpoint import load
from agent.model.decoder import Router
from tests.agent.killing import BrowserKiller
from tests.agent.tiny import tiny_config

ROOT = Path(__file__).parent.parent.parent
RECIPE = Recipe("test", steps=6, batch=2, questions=2, warmup=2, decay=0.0)
WIDE = replace(RECIPE, steps=3, batch=4, accumulate=2)

SCRIPT = """
import sys
from pathlib import Path
from tests.agent.test_training_accidents import RECIPE, WIDE, train
train(Path(sys.argv[1]), {"narrow": RECIPE, "wide": WIDE}[sys.argv[2]])
"""


def train(out: Path, recipe: Recipe = RECIPE) -> Trainer:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the other process: threads change the order of sums
    try:
        trainer = Trainer(recipe, out, shape=tiny_config())
        trainer.run(lambda *_: None, save_every=1)
    finally:
        torch.set_num_threads(threads)
    return trainer


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_a_kill_at_any_moment_costs_no_more_than_the_last_step(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), "narrow"]
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, start_new_session=True)
    log = tmp_path / "killed" / "metrics.jsonl"
    while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 3):
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    train(tmp_path / "killed")
    train(tmp_path / "whole")
    whole, mended = rows(tmp_path / "whole"), rows(tmp_path / "killed")
    assert [row["step"] for row in mended] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in mended] == [row["loss"] for row in whole]


def test_two_processes_follow_the_loss_curve_of_one(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(SCRIPT)
    train(tmp_path / "one", WIDE)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", "two.py", str(tmp_path / "two"), "wide"]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(two) == 3
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-6)
    assert two[0]["gradient"] == pytest.approx(one[0]["gradient"], rel=1e-4)
    # Muon orthogonalises in bf16, and the parts of a cut matrix are summed in another order.
    for apart, together in zip(two, one, strict=True):
        assert apart["loss"] == pytest.approx(together["loss"], rel=2e-3)
        assert apart["busiest_expert"] == pytest.approx(together["busiest_expert"], rel=0.2)
    assert load(tmp_path / "two").config == tiny_config()
    assert Trainer(WIDE, tmp_path / "two", shape=tiny_config()).step == 3


def test_a_full_disk_stops_the_training_and_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, tmp_path, shape=tiny_config())
    trainer.run(lambda *_: None)
    before = (tmp_path / "model.safetensors").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # fails like a full disk
    try:
        with pytest.raises(TrainingError, match=r"step 6: .* make room and run the same command"):
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert Trainer(RECIPE, tmp_path, shape=tiny_config()).step == 6


def test_a_cut_shard_is_named_before_the_first_step(tmp_path: Path) -> None:
    shard = tmp_path / "click-test-000000000-2.npz"
    write_shard(shard, [Stream(1, questions=2).sample(index) for index in range(2)])
    shard.write_bytes(shard.read_bytes()[:-200])
    with pytest.raises(ShardError, match=r"click-test-000000000-2\.npz: cut short"):
        Trainer(RECIPE, tmp_path / "run", (shard,), shape=tiny_config()).run(lambda *_: None)
    assert not (tmp_path / "run").exists()


def test_data_that_is_gone_in_the_middle_stops_nothing(tmp_path: Path) -> None:
    shard = tmp_path / "click-test-000000000-2.npz"
    write_shard(shard, [Stream(1, questions=2).sample(index) for index in range(2)])
    trainer = Trainer(RECIPE, tmp_path / "run", (shard,), shape=tiny_config())
    known = data_hash((shard,))
    trainer.run(lambda step, _: shard.unlink(missing_ok=True), save_every=1)
    assert json.loads((tmp_path / "run" / "state.json").read_text())["data"] == known


def test_a_browser_that_dies_while_data_is_made_costs_nothing_that_was_written(
    tmp_path: Path,
) -> None:
    tasks = ["click-test", "focus-text"]
    killer = BrowserKiller()
    shards = demonstrate(tasks, range(2), tmp_path, noise=0)
    first = next(shards)
    killer.kill()
    with pytest.raises(BrowserError, match="the browser died"):
        next(shards)
    assert [*tmp_path.iterdir()] == [first]
    written = first.read_bytes()
    assert len([*demonstrate(tasks, range(2), tmp_path, noise=0)]) == 2
    assert first.read_bytes() == written


def test_experts_are_balanced_and_their_use_is_drawn(tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=30, rate=1e-4, balance=0.02)
    trainer = Trainer(recipe, tmp_path, shape=tiny_config())
    for module in trainer.model.modules():
        if isinstance(module, Router):
            module.e_score_correction_bias.data[0] += 0.4  # everybody's choice at first
    trainer.run(lambda *_: None)
    log = rows(tmp_path)
    busiest = [row["busiest_expert"] for row in log]
    assert busiest[0] > 1.5
    assert sum(busiest[-15:]) / 15 < 1.3
    assert min(row["idlest_expert"] for row in log[-15:]) > 0.3, "no expert is dead"
    names = ("idlest_expert", "busiest_expert")
    plot_curves(tmp_path / "metrics.jsonl", tmp_path / "experts.png", names)
    assert (tmp_path / "experts.png").read_bytes().startswith(b"\x89PNG")
