"""`python -m agent.cli`, for launchers such as torchrun that start modules."""

from agent.cli import app

app()
