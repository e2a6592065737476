"""Recording a person at work: what they did and what they saw, as an episode."""
