"""Executor backends: X11, browser, scripted."""
