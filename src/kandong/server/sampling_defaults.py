"""How an answer is drawn where the caller says nothing.

Owns: these values. Must not know: requests. They are those of the model's README for pictures, but for its presence
penalty, which spoils text that is copied. Top-p keeps chance out of what the model is sure of: where one token has
80 % of the mass, as digits that it can read have, it is always taken.
"""

DEFAULT_TEMPERATURE = 0.7
DEFAULT_TOP_P = 0.8
DEFAULT_TOP_K = 20
