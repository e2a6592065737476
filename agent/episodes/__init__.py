"""Episodes: record, verify, replay and report a run."""
