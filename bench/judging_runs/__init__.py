"""What bench.judging measures, one file a question: misread numbers, planted instructions, fields, six tasks' cost.

Owns: nothing but the folder. Must not know: how results are shown.
"""
