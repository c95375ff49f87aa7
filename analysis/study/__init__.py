"""What a data set holds, counted and stored: labels, attributes, quality, people, repeats, doubtful labels, samples.

Writes the study part of a run. Start with `study`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
