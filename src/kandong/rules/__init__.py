"""Rules over words: packs, normalised text with its way back, matching in linear time, the verdict with its evidence.

Owns: what the law's words are, where they stand, what exempts them. Must not know: pictures, models, files of posts.
"""
