"""How the network is made: data, augmentation, sampling, training, search, and export to the serving file.

The only wing that imports TensorFlow and Keras. Start with `Training` and `train`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
