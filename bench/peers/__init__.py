"""Other engines that run the same checkpoint, each in an environment of its own.

Owns: making such an environment, and one measuring process per peer.
Must not know: Kandong's own engine; a peer's process must start where Kandong is not installed.
"""
