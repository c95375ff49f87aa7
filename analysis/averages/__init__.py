"""Average faces of any subset: exact, compressed for speed, or published ahead for named subsets.

Knows cubes and filters; tests nothing. Start with `analysis.averages.base` and `analysis.averages.filters`.
"""
