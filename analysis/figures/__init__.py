"""Every figure, as functions: results in, HoloViews object out. The report and the explorer share them.

Each figure has a companion ``<figure>_reading`` that says in one sentence, computed from the same numbers, what is to
be seen. Figures know tables; they know nothing of files, pages or servers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
