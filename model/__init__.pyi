from . import evaluation, training
from .batch import check_output, find_photos, predict_paths, write_table
from .faces import FaceCrop, NoFaceError, faces_in_photo
from .predict import FacePrediction, Predictor, calibrated, decision, window

__all__ = [
    "FaceCrop",
    "FacePrediction",
    "NoFaceError",
    "Predictor",
    "calibrated",
    "check_output",
    "decision",
    "evaluation",
    "faces_in_photo",
    "find_photos",
    "predict_paths",
    "training",
    "window",
    "write_table",
]
