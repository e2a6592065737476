"""Commands that look at this machine: `doctor`."""

from __future__ import annotations

from agent.cli.options import Endpoint, ProfileName, fail


def doctor(endpoint: Endpoint = None, profile: ProfileName = None) -> None:
    """Say what this machine lacks, and how to get it."""
    from itertools import chain

    from agent.doctor import Machine, examine, report
    from agent.endpoint import examine_endpoint
    from agent.policies.named import api_key

    asked = examine_endpoint(endpoint, api_key(), profile) if endpoint else ()
    if not report(chain(examine(Machine()), asked)):
        fail("something that is needed is missing; the table says how to get it")
