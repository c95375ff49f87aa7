"""The one way in: bytes of a photo -> every face in it, upright and aligned.

Knows photos and the frame; knows nothing of networks. Training images go through the same two functions of
``analysis.data.alignment`` when a data set is ingested, so that train and serve cannot differ.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.data.alignment import align_face, fit_frame
from analysis.data.detection import detect_faces
from analysis.data.photo import PhotoError, decode_photo

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
    """

    box: tuple[int, int, int, int]
    pixels: np.ndarray
    turned: int = 0


def faces_in_photo(data: bytes, crop: Crop = "detect") -> list[FaceCrop]:
    """Decode a photo and bring each face in it into the frame.

    Parameters
    ----------
    data
        Encoded photo; see `analysis.data.photo.decode_photo`.
    crop
        "detect" finds and aligns every face; "none" takes the photo as one face in CelebA's frame already.

    Returns
    -------
    list of FaceCrop
        Largest first; never empty.

    Raises
    ------
    PhotoError
        If the photo cannot be read.
    NoFaceError
        If there is no face in it.
    """
    photo = decode_photo(data)
    if crop == "none":
        height, width = photo.shape[:2]
        return [FaceCrop((0, 0, width, height), fit_frame(photo))]
    faces = detect_faces(photo)
    if not faces:
        raise NoFaceError("no face found: send a photo in which a face is in full view")
    return [FaceCrop(face.box, align_face(photo, face.landmarks), face.turned) for face in faces]
