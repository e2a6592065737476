"""The Kimi-VL network, its tokenizer, checkpoints and engine."""
