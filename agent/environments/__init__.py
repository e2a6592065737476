"""Environments: virtual desktops and tasks with rewards."""
