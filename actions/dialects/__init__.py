"""Text <-> actions, one module per dialect."""
