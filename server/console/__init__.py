"""The console: one page to watch and drive sessions, and to look at episodes."""
