"""Fetch icon sets from npm and keep them as `iconsets` reads them; also icons of your own.

python -m agent.learning.screens.iconpackages --out runs/icons
python -m agent.learning.screens.iconpackages --out runs/icons --own shop=app/assets/icons
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import resvg_py
import typer
from PIL import Image
from rich.progress import track

from agent.learning.npm import NpmError, package
from agent.learning.screens.iconsets import SIDE, IconSetError

SHARED = 3
"""An icon is usual when so many packages have one of that name."""

FAMILIAR = 8
"""A tag that more icons of a set have is no name for one of them."""

TAGS = 5
"""Names that an icon has beside its own, at most."""

Tags = Mapping[str, Sequence[str]]
"""Icon -> words that people look for it with."""


def _tabler(folder: Path) -> Tags:
    listed = json.loads((folder / "icons.json").read_text("utf-8"))
    return {name: [str(tag) for tag in icon["tags"]] for name, icon in listed.items()}


def _lucide(folder: Path) -> Tags:
    tags: Tags = json.loads((folder / "tags.json").read_text("utf-8"))
    return tags


def _mdi(folder: Path) -> Tags:
    listed = json.loads((folder / "meta.json").read_text("utf-8"))
    brands = {icon["name"]: ["brand"] for icon in listed if "Brand / Logo" in icon["tags"]}
    return {icon["name"]: icon["aliases"] for icon in listed} | brands


def _phosphor(folder: Path) -> Tags:
    text = (folder / "dist/icons.d.ts").read_text("utf-8")
    found = re.findall(r'name: "([^"]+)";.*?tags: readonly \[([^\]]*)\]', text, re.DOTALL)
    return {name: re.findall(r'"([^"]+)"', tags) for name, tags in found}


def _untagged(folder: Path) -> Tags:
    return {}


@dataclass(frozen=True)
class Source:
    """Where a set comes from.

    Attributes:
        title: name of the set, and of its file.
        package: npm package with its version, or a folder.
        split: which screens may show it; variants of one design share it.
        files: where in the package its SVG files are.
        tags: reads the package's own words for its icons.
        suffix: what the files' names have after the icon's.
    """

    title: str
    package: str
    split: str
    files: str
    tags: Callable[[Path], Tags] = _untagged
    suffix: str = ""


_TABLER, _PHOSPHOR = "@tabler/icons@3.52.0", "@phosphor-icons/core@2.1.1"
SOURCES = (
    Source("tabler", _TABLER, "train", "icons/outline", _tabler),
    Source("tabler-filled", _TABLER, "train", "icons/filled", _tabler),
    Source("mdi", "@mdi/svg@7.4.47", "train", "svg", _mdi),
    Source("bootstrap", "bootstrap-icons@1.13.2", "train", "icons"),
    Source("lucide", "lucide-static@1.62.0", "validation", "icons", _lucide),
    Source("phosphor", _PHOSPHOR, "test", "assets/regular", _phosphor),
    Source("phosphor-bold", _PHOSPHOR, "test", "assets/bold", _phosphor, "-bold"),
    Source("phosphor-fill", _PHOSPHOR, "test", "assets/fill", _phosphor, "-fill"),
)
"""Sets with free licences (MIT, Apache-2.0, ISC); lucide and tabler have one ancestor."""

_VARIANT = re.compile(r"([- ](outline|filled|fill|line|rounded|variant|alt|\d+))+$")
_NAME = re.compile(r"[a-z]{2,}( [a-z]+){0,2}|[a-z]")
_BRANDS = re.compile(r"^brand-|-logo$")


def spoken(name: str) -> str:
    """An icon's or a tag's name as people say it: "trash-2" is "trash"; "" when nobody would."""
    words = re.sub(r"[-_ ]+", " ", _VARIANT.sub("", name.strip().lower()))
    return words if _NAME.fullmatch(words) else ""


def names_of(icons: Iterable[str], tags: Tags) -> dict[str, tuple[str, ...]]:
    """What each icon is called, its own name first; brands and unspeakable ones are left out."""
    own = {icon: spoken(icon) for icon in icons if not _BRANDS.search(icon)}
    own = {icon: name for icon, name in own.items() if name and tags.get(icon) != ["brand"]}
    said = {icon: [spoken(tag) for tag in tags.get(icon, ())] for icon in own}
    count = Counter(name for icon in own for name in {own[icon], *said[icon]})
    return {
        icon: (own[icon], *_others(own[icon], [t for t in said[icon] if count[t] <= FAMILIAR]))
        for icon in own
    }


def _others(own: str, tags: Sequence[str]) -> list[str]:
    different = [tag for tag in dict.fromkeys(tags) if len(tag) > 2 and tag != own]
    return different[:TAGS]


@dataclass(frozen=True)
class Draft:
    """A set that is to be written.

    Attributes:
        source: where it comes from.
        licence: as its package states it.
        names: what each icon is called, its own name first.
        files: the SVG file of each icon.
    """

    source: Source
    licence: str
    names: dict[str, tuple[str, ...]]
    files: dict[str, Path]


def read(source: Source, folder: Path) -> Draft:
    """What a package's folder has for a set.

    Raises:
        IconSetError: the folder has no such files.
    """
    ending = f"{source.suffix}.svg"
    found = sorted((folder / source.files).glob(f"*{ending}"))
    files = {path.name.removesuffix(ending): path for path in found}
    try:
        names = names_of(files, source.tags(folder))
        stated = folder / "package.json"
        about = json.loads(stated.read_text("utf-8")) if stated.exists() else {}
    except (OSError, KeyError, ValueError) as error:
        raise IconSetError(f"{source.package}: not as expected ({error})") from error
    if not names:
        raise IconSetError(f"{source.package}: expected SVG files in {folder / source.files}")
    return Draft(source, about.get("license", ""), names, files)


def raster(svg: Path) -> bytes:
    """How much of each pixel an icon covers, as a greyscale PNG of `SIDE` x `SIDE` pixels.

    Raises:
        ValueError: the file is no SVG.
    """
    drawn = resvg_py.svg_to_bytes(svg_string=svg.read_text("utf-8"), width=SIDE, height=SIDE)
    png = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as image:
        image.convert("RGBA").getchannel("A").resize((SIDE, SIDE)).save(png, "PNG")
    return png.getvalue()


def write(path: Path, draft: Draft, usual: Collection[str]) -> None:
    """Write a set, which appears whole or not at all; what cannot be drawn is left out.

    Args:
        path: the file.
        draft: what is written.
        usual: names of icons that interfaces often have.
    """
    partial, drawn = path.with_name(path.name + ".partial"), dict[str, tuple[str, ...]]()
    with zipfile.ZipFile(partial, "w") as archive:
        for icon, names in track(sorted(draft.names.items()), draft.source.title):
            with suppress(ValueError):
                archive.writestr(f"{icon}.png", raster(draft.files[icon]))
                drawn[icon] = names
        about = {
            "set": draft.source.title, "package": draft.source.package, "licence": draft.licence,
            "split": draft.source.split, "names": drawn,
            "usual": [icon for icon, names in drawn.items() if names[0] in usual],
        }  # fmt: skip
        archive.writestr("icons.json", json.dumps(about))
    partial.replace(path)


def fetch(sources: Sequence[Source], folder: Path) -> list[Path]:
    """Write one file per set; when all exist, nothing is done.

    Raises:
        NpmError: npm is missing, or cannot give a package.
        IconSetError: a package is not as expected.
    """
    paths = [folder / f"{source.title}.zip" for source in sources]
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        roots = {source.package: held.enter_context(_files(source.package)) for source in sources}
        drafts = [read(source, roots[source.package]) for source in sources]
        usual = _shared(drafts, min(SHARED, len(roots)))
        for path, draft in zip(paths, drafts, strict=True):
            own = {names[0] for names in draft.names.values()}
            write(path, draft, own if Path(draft.source.package).is_dir() else usual)
    return paths


def _files(package_name: str) -> AbstractContextManager[Path]:
    """A package's files; a folder of this machine is taken as it is."""
    folder = Path(package_name)
    return nullcontext(folder) if folder.is_dir() else package(package_name)


def _shared(drafts: Sequence[Draft], packages: int) -> set[str]:
    """Names of icons that so many packages have."""
    had = {(draft.source.package, n[0]) for draft in drafts for n in draft.names.values()}
    count = Counter(name for _, name in had)
    return {name for name, many in count.items() if many >= packages}


def main(
    out: Annotated[Path, typer.Option(help="Folder for the sets.")] = Path("runs/icons"),
    own: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER: SVG files of your own, to train on.")
    ] = None,
) -> None:
    """Fetch icon sets from npm."""
    mine = [pair.partition("=") for pair in own or ()]
    try:
        fetch(SOURCES, out)
        for name, _, folder in mine:
            fetch([Source(name, folder, "train", ".")], out)
    except (NpmError, IconSetError, OSError) as error:
        raise SystemExit(f"iconpackages: {error}") from error


if __name__ == "__main__":
    typer.run(main)
