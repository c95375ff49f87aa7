"""Where images come from, and how they become a manifest and a cube of aligned faces.

Reads zips, folders and buckets; writes ``data/NAME``. Start with `Dataset`, which all later steps are given; `register`
and `ingest` make one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
