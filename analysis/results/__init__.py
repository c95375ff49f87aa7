"""The stored files of a run: read by everything that is shown, recorded step by step, and published.

Knows files and their columns; computes nothing. Start with `Results` and `published`.
"""

from analysis.results.reader import Results, published

__all__ = ["Results", "published"]
