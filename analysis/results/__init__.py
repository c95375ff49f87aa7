"""The stored files of a run: read by everything that is shown, recorded step by step, and published.

Knows files and their columns; computes nothing. Start with `Run`, `Results` and `published`.
"""

from analysis.results.reader import Results, Run, published

__all__ = ["Results", "Run", "published"]
