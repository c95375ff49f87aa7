"""The shape of faces: landmarks of every aligned face, their geometry, and faces warped to a common shape.

Landmarks need the extra `shape`; serving does not.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
