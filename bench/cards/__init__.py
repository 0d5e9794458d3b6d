"""Generated Chinese promotion and social cards whose every word, number and code is known.

Owns: what a card says, how it is drawn, how it is worn by photographing and compressing, and the truth about all that.
Must not know: who reads the cards. Same seed, same library versions: same bytes.
"""
