"""Trains the recogniser further on lines that were worn on their way: shrunk, saved as JPEG many times, dim, turned.

Owns: what is written, drawn and worn, the recogniser in torch, the training, the changed weights and their measuring.
Nothing of `bench/cards` is used, neither its phrases nor its looks, so that its cards stay strangers. The product
imports nothing of this package.
"""
