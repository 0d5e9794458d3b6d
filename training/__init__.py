"""Trains the miniature: a Qwen3-VL architecture of 11 million parameters that reads small promotion cards.

Owns: cards, questions, the model in plain torch, curriculum, export, evaluation. The product imports nothing of it.
"""
