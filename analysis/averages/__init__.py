"""Average faces of any subset: exact, from compressed faces for speed, or as published for named subsets.

Start with `select` and `Engine`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
