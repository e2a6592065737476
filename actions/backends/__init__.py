"""Executor backends: X11, desktop (PyAutoGUI), browser, scripted."""
