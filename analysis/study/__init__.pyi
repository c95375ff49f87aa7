from . import study
from .cooccurrence import cooccurrence_table
from .label_noise import doubted_labels, label_errors
from .rows import face_rows
from .samples import sample_grid
from .tables import attribute_table, duplicate_table, identity_table, label_table, quality_table

__all__ = [
    "attribute_table",
    "cooccurrence_table",
    "doubted_labels",
    "duplicate_table",
    "face_rows",
    "identity_table",
    "label_errors",
    "label_table",
    "quality_table",
    "sample_grid",
    "study",
]
