"""The report: a site rendered from the published run and nothing else, and the reference of what can be imported.

Owns no number and draws nothing. Start with `render`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
