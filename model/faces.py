"""Finds every face in a photo and aligns it: the input of every prediction.

Training images go through the same functions of `analysis.data.alignment` when a data set is ingested, so that training
and serving cannot differ.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from analysis.data.alignment import align_face, fit_frame
from analysis.data.detection import Face, detect_faces
from analysis.data.photo import Photo, PhotoError, only_photo_errors, read_photo

Crop = Literal["detect", "none"]

PICTURE = 128  # pixels of a side of a face's picture
AROUND = 1.3  # of the longer side of the face's box


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
    picture
        uint8 (128, 128, 3), RGB, the face's box in the middle of a square 1.3 times as wide, as it lies in the photo;
        black outside of it. None unless it was asked for.
    """

    box: tuple[int, int, int, int]
    pixels: np.ndarray
    turned: int = 0
    picture: np.ndarray | None = None


def faces_in_photo(data: bytes, crop: Crop = "detect", pictures: bool = False) -> list[FaceCrop]:
    """Decode a photo and bring each face in it into the frame.

    Parameters
    ----------
    data
        Encoded photo; see `analysis.data.photo.read_photo`.
    crop
        "detect" finds and aligns every face; "none" takes the photo as one face in CelebA's frame already.
    pictures
        Whether to cut out a picture of each face, too, to show it.

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
            return [_crop(photo, face, fit_frame(photo.pixels), pictures)]
        faces = detect_faces(photo.pixels)
        if not faces:
            raise NoFaceError("no face found: send a photo in which a face is in full view")
        return [_crop(photo, face, align_face(photo.pixels, face.landmarks), pictures) for face in faces]


def _crop(photo: Photo, face: Face, pixels: np.ndarray, picture: bool) -> FaceCrop:
    """A face and its box in pixels of the photo as it was sent."""
    x, y, width, height = (side * photo.shrink for side in face.box)
    box = (x, y, min(width, photo.width - x), min(height, photo.height - y))
    return FaceCrop(box, pixels, face.turned, _picture(photo.pixels, face.box) if picture else None)


def _picture(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    side = max(1, round(AROUND * max(width, height)))
    left, top = round(x + (width - side) / 2), round(y + (height - side) / 2)
    inside = pixels[max(top, 0) : top + side, max(left, 0) : left + side]
    above, before = max(-top, 0), max(-left, 0)
    below, after = side - above - inside.shape[0], side - before - inside.shape[1]
    square = cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_CONSTANT)
    method = cv2.INTER_AREA if side > PICTURE else cv2.INTER_CUBIC
    return cv2.resize(square, (PICTURE, PICTURE), interpolation=method)
