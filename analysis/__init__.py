"""Looks at data and at results, one wing after the other.

Never imports ``model`` or ``dashboard``. Each wing says what it is and exports its public names, loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
