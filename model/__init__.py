"""The shared model: faces in, perceived gender out.

Imports ``analysis`` for the stored data, never ``dashboard``. Start with `Predictor`.
"""

import os

import lazy_loader

# Where ONNX Runtime is imported for the first time, here before all else: it reports its use, and errors, to Microsoft,
# and keeps a number for this device in the user's cache, unless this is set before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
