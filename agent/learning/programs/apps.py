"""Programs and themes; each is in one split only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class App:
    """A program that tells AT-SPI what it shows.

    Attributes:
        title: its name.
        command: how it is started.
        toolkit: "gtk" or "qt".
        split: which shards may show it.
        package: the Debian package that has it.
    """

    title: str
    command: tuple[str, ...]
    toolkit: str
    split: str
    package: str


@dataclass(frozen=True)
class Theme:
    """How programs of a toolkit look.

    Attributes:
        title: its name.
        toolkit: "gtk" or "qt".
        split: which shards may show it.
        env: environment variables that choose it.
        package: the Debian package that has it; "" when the toolkit itself has.
    """

    title: str
    toolkit: str
    split: str
    env: Mapping[str, str]
    package: str = ""


def _gtk(title: str, split: str, package: str, *arguments: str) -> App:
    return App(title, (title, *arguments), "gtk", split, package)


APPS = (
    _gtk("galculator", "train", "galculator"),
    _gtk("gtk3-widget-factory", "train", "gtk-3-examples"),
    _gtk("xpad", "train", "xpad", "--new"),
    App("speedcrunch", ("speedcrunch",), "qt", "train", "speedcrunch"),
    _gtk("gcolor3", "validation", "gcolor3"),
    App("qpdfview", ("qpdfview",), "qt", "validation", "qpdfview"),
    _gtk("mousepad", "test", "mousepad"),
    _gtk("xarchiver", "test", "xarchiver"),
    App("zenity", ("zenity", "--forms", "--title=Journey", "--text=Where do you go?",
        "--add-entry=Departure", "--add-entry=Arrival", "--add-entry=Passengers",
        "--add-password=Voucher", "--ok-label=Reserve", "--cancel-label=Later"),
        "gtk", "test", "zenity"),
    App("featherpad", ("featherpad", "--standalone"), "qt", "test", "featherpad"),
)  # fmt: skip

THEMES = (
    Theme("adwaita", "gtk", "train", {"GTK_THEME": "Adwaita"}),
    Theme("adwaita-dark", "gtk", "train", {"GTK_THEME": "Adwaita:dark"}),
    Theme("numix", "gtk", "validation", {"GTK_THEME": "Numix"}, "numix-gtk-theme"),
    Theme("blackbird", "gtk", "test", {"GTK_THEME": "Blackbird"}, "blackbird-gtk-theme"),
    Theme("contrast", "gtk", "test", {"GTK_THEME": "HighContrast"}),
    Theme("fusion", "qt", "train", {"QT_STYLE_OVERRIDE": "Fusion"}),
    Theme("fusion-scaled", "qt", "validation", {
        "QT_STYLE_OVERRIDE": "Fusion", "QT_FONT_DPI": "144"}),
    Theme("windows", "qt", "test", {"QT_STYLE_OVERRIDE": "Windows"}),
)  # fmt: skip
