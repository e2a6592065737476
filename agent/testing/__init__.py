"""Testing other people's programs in plain language: what the pytest plugin hands to tests."""
