"""Evaluation of a trained model: scores, calibration, curves, fairness, robustness, explanation, other sources.

Start with `evaluate`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
