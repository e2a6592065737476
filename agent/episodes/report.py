"""One HTML file that shows episodes to people: offline, self-contained, nothing painted over.

The page is `templates/report.html`; it loads nothing, and its content security policy says so. The
screenshots are embedded as WebP, small ones losslessly; the episode keeps the exact ones. Each is a
block of its own behind the script, so that a browser shows the first step while it reads the rest.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from agent.episodes.errors import BrokenEpisode
from agent.episodes.format import Json, StepRecord
from agent.episodes.reader import Episode
from agent.episodes.view import episode_view, step_view

_LOSSLESS_PIXELS = 400_000
_THUMB = (300, 152)


def write_report(episodes: Path | str | Sequence[Path | str], out: Path | str) -> Path:
    """Write the report of one episode, or of several that the page switches between.

    Args:
        episodes: folder of an episode, or several.
        out: the HTML file; its folder is made when it is missing.

    Returns:
        The path of the HTML file.

    Raises:
        EpisodeError: an episode cannot be read. A lost image is told in the page instead.
        OSError: the file cannot be written.
    """
    paths = [episodes] if isinstance(episodes, Path | str) else list(episodes)
    gallery = _Gallery()
    views = [gallery.view(Episode.open(path)) for path in paths]
    data: Json = {"episodes": views, "thumbs": gallery.thumbs}
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    title = views[0]["instruction"] if len(views) == 1 else f"{len(views)} episodes"
    with out.open("w", encoding="utf-8") as file:
        file.write(_page(f"{title} – Eyehand", data))
        for digest, picture in gallery.pictures.items():
            # `type` makes it a block of data, which no browser runs.
            file.write(f'\n<script type="image/webp" id="p{digest}">{picture}</script>')
        file.write("\n</body>\n</html>\n")
    return out


class _Gallery:
    """Every picture of a report once, by digest: in base64, and small as a data URL."""

    def __init__(self) -> None:
        self.pictures: dict[str, str] = {}
        self.thumbs: dict[str, str] = {}

    def view(self, episode: Episode) -> Json:
        """The view of an episode, whose pictures are then in the gallery."""
        steps = [step_view(step, self._hang(episode, step)) for step in episode.steps]
        return episode_view(episode.head, episode.outcome, steps)

    def _hang(self, episode: Episode, step: StepRecord) -> str:
        """Take in the picture of a step; why it could not be, empty when it could."""
        digest = step.frame.digest
        if digest in self.pictures:
            return ""
        try:
            image = episode.frame(step).to_image()
        except BrokenEpisode as error:
            return str(error)
        self.pictures[digest] = _webp(image, image.width * image.height <= _LOSSLESS_PIXELS)
        image.thumbnail(_THUMB)
        self.thumbs[digest] = f"data:image/webp;base64,{_webp(image, lossless=False)}"
        return ""


def _webp(image: Image.Image, lossless: bool) -> str:
    """The picture as WebP in base64."""
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=lossless, quality=40 if lossless else 82, method=1)
    return b64encode(file.getvalue()).decode()


def _page(title: str, data: Json) -> str:
    """Fill in the template; styles and script are let in by their hashes alone."""
    environment = Environment(
        loader=PackageLoader("agent.episodes"), autoescape=True, undefined=StrictUndefined
    )
    style = _asset(environment, "report.css")
    script = _asset(environment, "shared.js") + _asset(environment, "report.js")
    return environment.get_template("report.html").render(
        title=title,
        data=data,
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        style_hash=_source_hash(style),
        script_hash=_source_hash(script),
    )


def _asset(environment: Environment, name: str) -> str:
    """A file beside the template, verbatim."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _source_hash(text: str) -> str:
    """As a content security policy wants it."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
