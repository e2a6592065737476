"""A GTK window with a name above a password, for system Python: python3 gtk_login.py READY."""

import sys
from pathlib import Path

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # noqa: E402  # after the version was chosen


def main() -> None:
    """Show the window; tell when it is there."""
    window = Gtk.Window(title="Log in", default_width=320, default_height=160)
    column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, homogeneous=True)
    window.add(column)
    column.pack_start(Gtk.Entry(placeholder_text="name"), True, True, 0)
    column.pack_start(Gtk.Entry(visibility=False), True, True, 0)
    window.connect("destroy", Gtk.main_quit)
    window.connect("map-event", lambda *_: Path(sys.argv[1]).write_text("ready"))
    window.show_all()
    window.move(0, 0)
    Gtk.main()


if __name__ == "__main__":
    main()
