"""What is served: report, explorer and API in one ASGI process.

Owns no numbers of its own; shows what ``analysis`` and ``model`` know. Start with `create_app`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
