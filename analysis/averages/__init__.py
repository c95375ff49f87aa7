"""Average faces of any subset: exact, compressed for speed, or published ahead for named subsets.

Knows cubes and filters; tests nothing. Start with `select` and `Engine`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
