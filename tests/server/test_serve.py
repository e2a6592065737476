"""`serve` in a process of its own: start, token, signals, TLS."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from server.app import KEEP_ALIVE, bind, prepare, spare_the_collector
from server.backend import Backend, PolicyChat
from server.settings import Settings, SettingsError
from tests.server.conftest import TOKEN, Open, ScriptedPolicy, picture, wait_for

SCRIPT = Path(__file__).with_name("scripted_server.py")


@dataclass
class Process:
    """A running server.

    Attributes:
        handle: of the process.
        url: where it listens.
        source: where it said that its token is.
    """

    handle: subprocess.Popen[str]
    url: str
    source: str

    def end(self, number: int) -> str:
        """Send the signal, wait; what it wrote to stderr since its start."""
        self.handle.send_signal(number)
        return self.handle.communicate(timeout=60)[1]


@contextmanager
def started(folder: Path, **environ: str) -> Iterator[Process]:
    handle = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder / "started")],
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert handle.stderr is not None
    try:
        url = re.findall(r"Eyehand listens on (\S+)\n", handle.stderr.readline())
        yield Process(handle, url[0], handle.stderr.readline())
    finally:
        handle.kill()
        handle.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_finishes_what_is_in_flight(tmp_path: Path, number: int) -> None:
    with started(tmp_path) as process, ThreadPoolExecutor(1) as pool:
        folder = Path(re.findall(r"folder (\S+)\n", process.source)[0])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        token = (folder / "infer").read_text().strip()
        assert token not in process.source
        flying = pool.submit(
            httpx.post,
            f"{process.url}/v1/act",
            headers={"Authorization": f"Bearer {token}"},
            json={"instruction": "my secret", "screenshot": picture(50, 50)},
            timeout=60,
        )
        wait_for((tmp_path / "started").exists)
        rest = process.end(number)
        assert flying.result().status_code == 200
        assert process.handle.returncode == 0
        assert not folder.exists()
        assert not [text for text in (token, "my secret", "Traceback") if text in rest]


def test_a_chosen_token_is_not_written_to_a_file(tmp_path: Path) -> None:
    with started(tmp_path, EYEHAND_TOKEN="c" * 64) as process:
        folder = Path(re.findall(r"folder (\S+)\n", process.source)[0])
        assert "c" * 64 not in [file.read_text().strip() for file in folder.iterdir()]
        header = {"Authorization": f"Bearer {'c' * 64}"}
        assert httpx.get(f"{process.url}/healthz", headers=header).status_code == 200
        process.end(signal.SIGTERM)
        assert list(tmp_path.iterdir()) == []


def test_a_weak_token_stops_the_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "started")],
        env={**os.environ, "EYEHAND_TOKEN": "hunter2"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "openssl rand -hex 32" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with bind(Settings(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}.*another port"):
            bind(Settings(port=port))


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with bind(Settings(port=0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_with_a_certificate_it_speaks_https(open_door: Open, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    door = open_door(settings=Settings(port=0, certificate=certificate, key=key))
    trust = ssl.create_default_context(cafile=str(certificate))
    url = f"https://127.0.0.1:{door.port}"
    with httpx.Client(base_url=url, verify=trust, headers=dict(door.http.headers)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"Origin": url}).status_code == 200
        plain = url.replace("https", "http")
        assert client.get("/healthz", headers={"Origin": plain}).status_code == 403


@pytest.mark.parametrize("content", [None, "no PEM"])
def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    certificate = tmp_path / "certificate.pem"
    if content is not None:
        certificate.write_text(content)
    policy = ScriptedPolicy()
    with pytest.raises(SettingsError, match=r"certificate\.pem.*PEM files"):
        prepare(
            Backend("any", policy, PolicyChat(policy, 4096)),
            Settings(certificate=certificate, key=certificate),
            TOKEN,
        )


def test_idle_connections_are_kept_as_long_as_ui_tars_clients_need() -> None:
    assert KEEP_ALIVE >= 75


def test_what_lives_as_long_as_the_process_is_spared_by_the_garbage_collector() -> None:
    try:
        spare_the_collector()
        assert gc.get_freeze_count() > 10_000  # our libraries; the rest is young and few
    finally:
        gc.unfreeze()
