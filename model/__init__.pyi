from . import evaluation, training
from .batch import count_photos, find_photos, predict_on, predict_paths, predict_to
from .faces import FaceCrop, NoFaceError, faces_in_photo
from .predict import FacePrediction, Predictor, calibrated, decision, window
from .predictions import Counts, check_output

__all__ = [
    "Counts",
    "FaceCrop",
    "FacePrediction",
    "NoFaceError",
    "Predictor",
    "calibrated",
    "check_output",
    "count_photos",
    "decision",
    "evaluation",
    "faces_in_photo",
    "find_photos",
    "predict_on",
    "predict_paths",
    "predict_to",
    "training",
    "window",
]
