"""CSS kits: fetched from npm, one split each, with the classes that their widgets want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.learning.npm import NpmError, package


@dataclass(frozen=True)
class Skin:
    """A kit in one of its variants.

    Attributes:
        title: its name.
        package: npm package with its version.
        file: its stylesheet in the package.
        split: which pages may wear it; variants of one kit share it.
        classes: CSS selector -> class names that matching elements get.
        root: attributes of the page's root element.
    """

    title: str
    package: str
    file: str
    split: str
    classes: Mapping[str, str] = field(default_factory=dict)
    root: Mapping[str, str] = field(default_factory=dict)

    def css(self, folder: Path) -> str:
        """The stylesheet, as `fetch` left it in a folder."""
        return (folder / f"{self.title}.css").read_text("utf-8")


_BOOTSTRAP = {
    "button": "btn btn-secondary",
    ".main": "btn-primary",
    ".quiet": "btn-outline-secondary",
    "input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea": "form-control",
    "input[type=checkbox], input[type=radio]": "form-check-input",
    "input[type=range]": "form-range",
    "select": "form-select",
    "table": "table table-striped",
    ".tabs": "nav nav-tabs",
    "[role=tab]": "nav-link",
    "[aria-selected=true]": "active",
    ".card": "card card-body mb-2",
    "ul.list": "list-group",
    "ul.list > li": "list-group-item",
    "progress": "w-100",
    ".note": "alert alert-info",
}
_BULMA = {
    "button": "button",
    ".main": "is-primary",
    ".quiet": "is-light",
    "input:not([type=checkbox]):not([type=radio]):not([type=range])": "input",
    "textarea": "textarea",
    "label.choice": "checkbox",
    "table": "table is-striped is-fullwidth",
    ".card": "box",
    "h1, h2": "title is-4",
    "h3": "subtitle",
    "progress": "progress",
    ".note": "notification is-info",
    "label.field": "label",
}
_SPECTRE = {
    "button": "btn",
    ".main": "btn-primary",
    ".quiet": "btn-link",
    "input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea": "form-input",
    "select": "form-select",
    "label.field": "form-label",
    "input[type=range]": "slider",
    "table": "table table-striped",
    ".tabs": "tab",
    "[role=tab]": "tab-item",
    "[aria-selected=true]": "active",
    ".card": "card p-2",
    "ul.list": "menu",
    "ul.list > li": "menu-item",
    "progress": "progress",
    ".note": "toast toast-primary",
}
_BOOT, _PICO, _WATER = "bootstrap@5.3.9", "@picocss/pico@2.1.1", "water.css@2.1.1"
_MIN, _LIGHT, _DARK = "dist/css/bootstrap.min.css", "light", "dark"
SKINS = (
    Skin("bootstrap", _BOOT, _MIN, "train", _BOOTSTRAP, {"data-bs-theme": _LIGHT}),
    Skin("bootstrap-dark", _BOOT, _MIN, "train", _BOOTSTRAP, {"data-bs-theme": _DARK}),
    Skin("pico", _PICO, "css/pico.min.css", "train", {".quiet": "outline"}, {"data-theme": _LIGHT}),
    Skin("pico-dark", _PICO, "css/pico.min.css", "train", {}, {"data-theme": _DARK}),
    Skin("water", _WATER, "out/light.min.css", "train"),
    Skin("water-dark", _WATER, "out/dark.min.css", "train"),
    Skin("milligram", "milligram@1.4.1", "dist/milligram.min.css", "train",
         {".quiet": "button-outline"}),
    Skin("spectre", "spectre.css@0.5.9", "dist/spectre.min.css", "train", _SPECTRE),
    Skin("sakura", "sakura.css@1.5.1", "css/sakura.css", "train"),
    Skin("simple", "simpledotcss@2.3.7", "simple.min.css", "validation"),
    Skin("mvp", "mvp.css@1.18.0", "mvp.css", "validation"),
    Skin("bulma", "bulma@1.0.4", "css/bulma.min.css", "test", _BULMA, {"data-theme": _LIGHT}),
    Skin("bulma-dark", "bulma@1.0.4", "css/bulma.min.css", "test", _BULMA, {"data-theme": _DARK}),
    Skin("new", "@exampledev/new.css@1.1.3", "new.css", "test"),
    Skin("chota", "chota@0.9.2", "dist/chota.min.css", "test", {".main": "primary", ".card": "card",
         ".tabs": "tabs", "[aria-selected=true]": "active", ".quiet": "outline"}),
)  # fmt: skip
"""Kits with free licences (MIT)."""


def fetch(skins: Sequence[Skin], folder: Path) -> None:
    """Leave the stylesheets of skins in a folder; those that exist are kept.

    Raises:
        NpmError: npm is missing, cannot give a package, or it has no such file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [skin for skin in skins if not (folder / f"{skin.title}.css").exists()]
    for name in dict.fromkeys(skin.package for skin in missing):
        with package(name) as files:
            for skin in missing:
                if skin.package == name:
                    _keep(skin, files, folder)


def _keep(skin: Skin, files: Path, folder: Path) -> None:
    try:
        css = (files / skin.file).read_text("utf-8")
    except OSError as error:
        raise NpmError(f"{skin.package}: expected {skin.file}, actually missing") from error
    (folder / f"{skin.title}.css").write_text(css, "utf-8")
