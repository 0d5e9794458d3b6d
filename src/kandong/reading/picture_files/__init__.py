"""The outside of picture files: what their bytes say before any pixel is decoded.

Owns: telling formats apart, and walking the five accepted containers. Must not know: the decoder library, the limits
of the caller, names and paths.
"""
