"""Learning from rewards: returns, advantages, objectives, and the worlds that prove them."""
