"""The workloads of ``bench/workloads.py``: what caches, batches, drafts and forms give, on our own engine.

Owns: how each workload is made and clocked. Must not know: bars, tables, peers.
"""
