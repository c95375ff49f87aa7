"""What every wing of the analysis needs: places, storage, errors, names of columns, people and words.

Knows nothing of faces and imports no other wing. Start with `paths` and `UserError`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
