"""Tiny Qwen3-VL checkpoints, pictures and the reference outputs for them; README.md says what each array is."""
