"""Speed and quality measurements of Kandong beside its peers.

Owns: checkpoints to measure with, the drivers of peers and the runs that compare them.
Must not know: anything that the product needs to run; nothing under ``src`` may import this package.
"""
