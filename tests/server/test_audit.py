"""The audit log and the structured log: what is in them, and what never is."""

from __future__ import annotations

import json
import logging
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from server.audit import Audit, default_path
from server.logs import Lines
from server.rate import Bucket
from server.settings import Settings, SettingsError
from tests.server.conftest import TOKEN, Open


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_says_who_did_what_and_nothing_that_a_client_wrote(
    open_door: Open, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "audit.jsonl"
    door = open_door(settings=Settings(port=0, audit=path))
    door.act(instruction="my password is hunter2")
    door.http.get(f"/v1/models?token={TOKEN.secret}")
    door.bare.post("/v1/act", json={"instruction": "hunter2"})
    door.http.post(f"/{TOKEN.secret}", json={})
    door.close()
    noted = lines(path)
    assert [line["event"] for line in noted] == [
        "started",
        "request",
        "refused",
        "request",
        "stopped",
    ]
    acted, refused, missing = noted[1:4]
    assert (acted["token"], acted["route"], acted["status"]) == ("all", "/v1/act", 200)
    assert (refused["status"], refused["omitted"]) == (401, 0)
    assert (missing["route"], missing["status"]) == ("-", 404)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [word for word in ("hunter2", TOKEN.secret) if word in path.read_text()]


def test_a_restart_adds_to_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        with Audit(path) as audit:
            audit.note("x", number=number)
    assert [line["number"] for line in lines(path)] == [0, 1, 2]


def test_threads_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with Audit(path) as audit:

        def work(name: int) -> None:
            for number in range(200):
                audit.note("x", thread=name, number=number, filler="y" * 500)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    noted = lines(path)
    for name in range(4):
        assert [line["number"] for line in noted if line["thread"] == name] == list(range(200))


def test_a_flood_of_refusals_is_counted_not_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with Audit(path) as audit:
        for _ in range(1000):
            audit.refused(status=401)
    assert len(lines(path)) < 100


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="--audit"):
        Audit(tmp_path / "audit.jsonl")
    assert not (tmp_path / "elsewhere").exists()


def test_it_lies_in_the_users_state_folder() -> None:
    assert default_path({"XDG_STATE_HOME": "/s"}) == Path("/s/eyehand/audit.jsonl")
    home = default_path({"HOME": "/h"})
    assert home == Path("/h/.local/state/eyehand/audit.jsonl")


def test_a_bucket_fills_at_its_rate_and_never_overflows() -> None:
    now = 0.0
    bucket = Bucket(2.0, 3, lambda: now)
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]
    now = 0.5
    assert (bucket.take(), bucket.take()) == (0, 0.5)
    now = 1000.0
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, False, True]


def test_a_log_line_is_one_json_object_without_the_exceptions_words() -> None:
    record = logging.makeLogRecord({"name": "server.x", "levelno": 20, "levelname": "INFO"})
    record.msg, record.args = "GET %s", ("/x",)
    record.__dict__["facts"] = {"status": 200}
    try:
        raise ValueError("typed: hunter2")
    except ValueError:
        record.exc_info = sys.exc_info()
    text = Lines().format(record)
    line = json.loads(text)
    assert "\n" not in text and "hunter2" not in text
    assert (line["message"], line["status"], line["level"]) == ("GET /x", 200, "info")
    assert line["exception"] == "ValueError" and line["time"].endswith("+00:00")
