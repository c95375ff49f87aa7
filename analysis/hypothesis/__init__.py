"""Whether the average faces of women and men differ: the test, the effects, the controls and the verdict.

Knows photos, people and labels; draws nothing. Start with `analysis.hypothesis.test`.
"""
