"""Whether the average faces of women and men differ: the test, the effects, the controls and the verdict.

Start with `examine`, which runs all parts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
