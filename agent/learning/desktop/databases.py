"""sqlite-web, a web program; what counts is the database."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from random import Random

from actions.space import Action, Click, Hotkey, Type, Wait
from agent.environments.program import ProgramError
from agent.learning.desktop.challenge import Challenge, DesktopTask
from agent.learning.desktop.room import Room
from agent.learning.desktop.words import PEOPLE, TOWNS

NEEDS = (("sqlite_web", "pip install sqlite-web"),)

START_SECONDS = 60.0

LOADED = Wait(3.0)
"""Before the next look: what is aimed at on a page that is still changing is not clicked."""


def _database(room: Room, random: Random) -> list[str]:
    """People and their towns, and a table of last year; shown in a browser. The people's names."""
    people = random.sample(PEOPLE, 4)
    with closing(sqlite3.connect(room.home / "shop.db")) as database:
        for table in ("customers", "old"):
            database.execute(f"create table {table} (name text, town text)")
            rows = [(name, random.choice(TOWNS)) for name in people]
            database.executemany(f"insert into {table} values (?, ?)", rows)  # noqa: S608  # ours
        database.commit()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    room.serve("sqlite_web", "--no-browser", "--port", str(port), str(room.home / "shop.db"))
    _await(port)
    room.open(f"http://127.0.0.1:{port}/")
    return people


def _await(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
            return
        time.sleep(0.05)
    raise ProgramError(f"sqlite_web did not listen in {START_SECONDS:.0f} s")


def _rows(room: Room, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(room.home / "shop.db")) as database:
        return database.execute(query).fetchall()


def drop(room: Room, random: Random) -> Challenge:
    """Drop a table, which is asked for twice."""
    _database(room, random)

    def oracle() -> Iterator[Action]:
        yield LOADED
        yield Click(room.middle("a[href='/old/']"))
        yield LOADED
        yield Click(room.middle("a[href='/old/drop/']"))
        yield LOADED
        yield Click(room.middle("button.btn-danger[type=submit]"))
        yield LOADED

    return Challenge(
        'Drop the table "old".',
        lambda: _rows(room, "select name from sqlite_master") == [("customers",)],
        oracle,
    )


def query(room: Room, random: Random) -> Challenge:
    """Run a statement that is given."""
    gone, *others = _database(room, random)
    statement = f"delete from customers where name = '{gone}'"  # noqa: S608  # ours

    def oracle() -> Iterator[Action]:
        yield LOADED
        yield Click(room.middle("a[href='/customers/']"))
        yield LOADED
        yield Click(room.middle("a[href='/customers/query/']"))
        yield LOADED
        yield Click(room.middle("textarea"))
        yield Hotkey(("ctrl", "a"))
        yield Type(statement)
        yield Click(room.middle("button[type=submit]:has-text('Execute')"))
        yield LOADED

    return Challenge(
        f'Execute the query "{statement}".',
        lambda: _rows(room, "select name from customers") == [(name,) for name in others],
        oracle,
    )


TASKS = {f"sqlite-{begin.__name__}": DesktopTask(NEEDS, begin) for begin in (drop, query)}
