"""The pytest plugin: fixtures that replay recorded episodes."""
