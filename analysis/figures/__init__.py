"""The figures: functions from results to HoloViews objects, which the report and the explorer share.

Each figure has a companion ``<figure>_reading``, which states in a sentence, computed from the same numbers, what the
figure shows.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
