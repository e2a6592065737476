"""Learning: the data engine, training stages and evaluation."""
