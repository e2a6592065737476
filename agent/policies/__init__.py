"""Policies: what decides the next action (our engine, a remote server, a script)."""
