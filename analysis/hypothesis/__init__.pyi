from . import confounders, controls, effect, elsewhere, prediction, regions, verdict
from .people import People, Photos, average_by_person, check_labels, lab, read_photos
from .test import Findings, examine

__all__ = [
    "Findings",
    "People",
    "Photos",
    "average_by_person",
    "check_labels",
    "confounders",
    "controls",
    "effect",
    "elsewhere",
    "examine",
    "lab",
    "prediction",
    "read_photos",
    "regions",
    "verdict",
]
