"""The stored files of a run: read by everything that is shown, recorded step by step, and published.

Start with `Run`, `Results` and `published`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
