"""What every wing of the analysis needs: paths, storage, errors, names of columns, people and number formats.

Start with `paths` and `UserError`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
