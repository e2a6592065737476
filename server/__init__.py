"""The door: an OpenAI-compatible inference API and the native `/v1/act`."""
