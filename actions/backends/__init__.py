"""Executor backends: X11, desktop (PyAutoGUI), a page over CDP, scripted."""
