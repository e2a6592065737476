"""`/v1/episodes`: the recordings under the server's folder of runs, for the player."""

from __future__ import annotations

import io
from pathlib import Path

import anyio.to_thread
from fastapi import APIRouter, Response
from PIL import Image
from pydantic import BaseModel

from agent.episodes.errors import BrokenEpisode, EpisodeError
from agent.episodes.files import FolderFiles
from agent.episodes.format import MANIFEST, Json
from agent.episodes.reader import Episode, read_manifest
from agent.episodes.view import episode_view, step_view
from server.access import Access, require
from server.errors import ApiError

_SHOWN = 200
_DEPTH = ("*", "*/*", "*/*/*")
"""How deep below the folder of runs an episode may lie."""


class EpisodeSummary(BaseModel):
    """An episode in a list; `created` is in seconds since the epoch, `end` empty if not closed."""

    id: str
    instruction: str
    created: float
    end: str
    reward: float | None


class EpisodeList(BaseModel):
    """The newest episodes, newest first."""

    episodes: list[EpisodeSummary]


def router(runs: Path) -> APIRouter:
    """The endpoints. A client names an episode by its id, never by a path."""
    routes = APIRouter(
        prefix="/v1/episodes", tags=["episodes"], dependencies=[require(Access.WATCH)]
    )

    @routes.get("")
    async def show_all() -> EpisodeList:
        """The newest episodes."""
        found = await anyio.to_thread.run_sync(_summaries, runs)
        listed = sorted(found.values(), key=lambda each: -each.created)[:_SHOWN]
        return EpisodeList(episodes=listed)

    @routes.get("/{name}")
    async def show(name: str) -> Json:
        """One episode, step by step, as a player shows it."""
        return await anyio.to_thread.run_sync(_view, runs, name)

    @routes.get("/{name}/steps/{index}/picture", response_class=Response)
    async def picture(name: str, index: int) -> Response:
        """The screenshot of a step (from 0) as JPEG."""
        data = await anyio.to_thread.run_sync(_picture, runs, name, index)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return routes


def _summaries(runs: Path) -> dict[Path, EpisodeSummary]:
    """Every readable episode by its folder."""
    found = {}
    for pattern in _DEPTH:
        for manifest in runs.glob(f"{pattern}/{MANIFEST}"):
            try:
                content, _ = read_manifest(FolderFiles(manifest.parent))
                head, outcome = content["head"], content.get("outcome") or {}
                found[manifest.parent] = EpisodeSummary(
                    id=head["id"],
                    instruction=head["instruction"],
                    created=head["created"],
                    end=outcome.get("end", ""),
                    reward=outcome.get("reward"),
                )
            except (EpisodeError, KeyError, ValueError):  # damaged; `episode verify` says how
                continue
    return found


def _episode(runs: Path, name: str) -> Episode:
    folders = [folder for folder, each in _summaries(runs).items() if each.id == name]
    if not folders:
        raise ApiError(404, "no episode has this id")
    try:
        return Episode.open(folders[0])
    except EpisodeError as error:
        raise ApiError(422, f"the episode cannot be read: {error}") from error


def _view(runs: Path, name: str) -> Json:
    episode = _episode(runs, name)
    steps = [step_view(step, "") for step in episode.steps]
    return episode_view(episode.head, episode.outcome, steps)


def _picture(runs: Path, name: str, index: int) -> bytes:
    episode = _episode(runs, name)
    if not 0 <= index < len(episode.steps):
        raise ApiError(404, f"the episode has {len(episode.steps)} steps, the first is 0")
    try:
        pixels = episode.frame(episode.steps[index]).pixels
    except BrokenEpisode as error:
        raise ApiError(422, str(error)) from error
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()
