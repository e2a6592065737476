"""The hands: typed actions, their text dialects, the guard, the executor and its backends."""
