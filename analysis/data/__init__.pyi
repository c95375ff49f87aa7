from . import ingest
from .alignment import align_face, fit_frame
from .composites import compose
from .dataset import Dataset
from .detection import Face, detect_faces
from .facts import Conflicts, DatasetFacts, IngestOptions
from .measures import measure_faces
from .photo import PhotoError, decode_photo
from .sources import Source, demo_source, fetch_kaggle, open_source, register
from .splits import duplicate_pairs, resolve_splits

__all__ = [
    "Conflicts",
    "Dataset",
    "DatasetFacts",
    "Face",
    "IngestOptions",
    "PhotoError",
    "Source",
    "align_face",
    "compose",
    "decode_photo",
    "demo_source",
    "detect_faces",
    "duplicate_pairs",
    "fetch_kaggle",
    "fit_frame",
    "ingest",
    "measure_faces",
    "open_source",
    "register",
    "resolve_splits",
]
