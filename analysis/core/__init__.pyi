from . import compute, paths, people, schema, stats, storage, words, zarr_zip
from .errors import UserError

__all__ = [
    "UserError",
    "compute",
    "paths",
    "people",
    "schema",
    "stats",
    "storage",
    "words",
    "zarr_zip",
]
