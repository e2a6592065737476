"""Pages played on a Ray cluster of two nodes, whose workers die."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.episodes.reader import Episode
from agent.learning.miniwob_stage import MiniWobStage
from agent.learning.on_ray import ClusterError, RayCrew
from agent.learning.playing import Page
from agent.learning.scores import Rollout
from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy

ray = pytest.importorskip("ray", reason="needs the extra `ray`")

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own, on its way up and down
]

PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "200",
    "RAY_worker_niceness": "0",  # 15 else, and nothing would move on a busy machine
}


class Mortal(ScriptedPolicy):
    """Kills the process that it decides in so often, then says that it is done."""

    def __init__(self, marks: Path, deaths: int) -> None:
        super().__init__(["Thought: Done.\nAction: finished()"])
        self._marks = marks
        self._deaths = deaths
        marks.mkdir()

    def decide(self, observation: Observation) -> Decision:
        died = len(list(self._marks.iterdir()))
        if died < self._deaths:
            (self._marks / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decide(observation)


def free_ports() -> dict[str, int]:
    """Named, because a node does not wait for long until its helpers have found theirs."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {name: one.getsockname()[1] for name, one in zip(PORTS, held, strict=True)}
    for one in held:
        one.close()
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two nodes."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        head = {"num_cpus": 1, "include_dashboard": False, **free_ports()}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(num_cpus=1, **free_ports())
            yield cluster.address
        finally:
            cluster.shutdown()


def test_a_page_whose_worker_dies_is_played_again_and_never_dropped(
    address: str, tmp_path: Path
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    deaths = (0, 1, 2, 0)
    kept = tmp_path / "kept"
    pages = [
        Page("click-test", seed, Mortal(tmp_path / str(seed), times), kept)
        for seed, times in enumerate(deaths)
    ]
    told: list[Rollout] = []
    with RayCrew(address, 2) as crew:
        played = crew(MiniWobStage, pages, 2, told.append)
    ends = [(rollout.seed, rollout.outcome) for rollout in played.rollouts]
    assert ends == [(0, "finished"), (1, "finished"), (2, "failed"), (3, "finished")]
    assert "worker died" in played.rollouts[2].message
    assert sorted(rollout.seed for rollout in told) == [0, 1, 2, 3]
    assert "Chrome" in played.software["browser"]
    assert sorted(path.name for path in kept.iterdir()) == [
        "click-test-0", "click-test-1", "click-test-3",
    ]  # fmt: skip
    assert len(Episode.open(kept / "click-test-3").steps) == 1


def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(ClusterError, match="no Ray cluster at"), RayCrew("127.0.0.1:1"):
        pass
