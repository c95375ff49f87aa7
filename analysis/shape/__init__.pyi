from .landmarks import LandmarkFacts, Landmarks, find_landmarks, read_landmarks
from .mesh import POINTS, face_mesh

__all__ = [
    "POINTS",
    "LandmarkFacts",
    "Landmarks",
    "face_mesh",
    "find_landmarks",
    "read_landmarks",
]
