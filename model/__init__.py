"""The shared model: faces in, perceived gender out.

Imports ``analysis`` for the stored data, never ``dashboard``. Start with `Predictor`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
