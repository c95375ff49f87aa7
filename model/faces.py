"""Finds every face in a photo and aligns it: the input of every prediction.

Training images go through the same functions of `analysis.data.alignment` when a data set is ingested, so that training
and serving cannot differ.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.data.alignment import align_face, fit_frame
from analysis.data.detection import SMALLEST, Face, detect_faces
from analysis.data.photo import MIN_SIDE, Photo, PhotoError, only_photo_errors, read_photo

Crop = Literal["detect", "none"]


class NoFaceError(PhotoError):
    """A photo in which no face was found."""


@dataclass(frozen=True)
class FaceCrop:
    """A face brought into the frame.

    Attributes
    ----------
    box
        x, y, width and height in pixels of the upright photo.
    pixels
        uint8 (109, 89, 3), RGB.
    turned
        Degrees clockwise by which the photo was turned to bring the face upright: 0, 90, 180 or 270.
    small
        Whether it is narrower than `analysis.data.detection.SMALLEST` pixels in the photo as it was decoded.
    too_small
        Whether it is narrower than `analysis.data.photo.MIN_SIDE` pixels there, and cannot be judged.
    """

    box: tuple[int, int, int, int]
    pixels: np.ndarray
    turned: int = 0
    small: bool = False
    too_small: bool = False


def faces_in_photo(data: bytes, crop: Crop = "detect") -> list[FaceCrop]:
    """Decode a photo and bring each face in it into the frame.

    Parameters
    ----------
    data
        Encoded photo; see `analysis.data.photo.read_photo`.
    crop
        "detect" finds and aligns every face; "none" takes the photo as one face in CelebA's frame already.

    Returns
    -------
    list of FaceCrop
        Largest first; never empty.

    Raises
    ------
    PhotoError
        If the photo cannot be read, whatever is wrong with it.
    NoFaceError
        If there is no face in it.
    """
    photo = read_photo(data)
    with only_photo_errors():
        if crop == "none":
            height, width = photo.pixels.shape[:2]
            face = Face((0, 0, width, height), np.empty((0, 2)), 1.0)
            return [_crop(photo, face, fit_frame(photo.pixels))]
        faces = detect_faces(photo.pixels)
        if not faces:
            raise NoFaceError("no face found: send a photo in which a face is in full view")
        return [_crop(photo, face, align_face(photo.pixels, face.landmarks)) for face in faces]


def _crop(photo: Photo, face: Face, pixels: np.ndarray) -> FaceCrop:
    """A face and its box in pixels of the photo as it was sent."""
    x, y, width, height = (side * photo.shrink for side in face.box)
    box = (x, y, min(width, photo.width - x), min(height, photo.height - y))
    return FaceCrop(box, pixels, face.turned, face.box[2] < SMALLEST, face.box[2] < MIN_SIDE)
