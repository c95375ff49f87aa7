"""Predictor: the one class that the API, the explorer, the command line and batch scoring call.

It does not import TensorFlow. What the label that it predicts means is `analysis.core.schema.MEANING`; "uncertain" is
an answer, and no answer overrides what people say of themselves.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime

from analysis.core.errors import UserError
from analysis.data import decoding
from analysis.results import published
from analysis.results.artifacts import CARD
from analysis.results.records import Band, Card
from model.faces import Crop, FaceCrop, NoFaceError, PhotoError, faces_in_photo

__all__ = ["FacePrediction", "NoFaceError", "PhotoError", "Predictor", "window"]

_BATCH = 64


def window(faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """Part of the frame that the network sees: centred across, a fifth of the spare rows below.

    Parameters
    ----------
    faces
        (n, 109, 89, 3), faces in the frame.
    height, width
        Size of the part in pixels, at most the frame's.

    Returns
    -------
    numpy.ndarray
        View, (n, height, width, 3).
    """
    top, left = window_corner(faces.shape[1], faces.shape[2], height, width)
    return faces[:, top : top + height, left : left + width]


def window_corner(frame_height: int, frame_width: int, height: int, width: int) -> tuple[int, int]:
    """Row and column of the window's first pixel in the frame; chins matter more than what is above the hair."""
    return round((frame_height - height) * 0.8), (frame_width - width) // 2


@dataclass(frozen=True)
class FacePrediction:
    """The prediction for one face.

    Attributes
    ----------
    face
        Number in the photo, counted from 0; the largest is the first one.
    x, y, width, height
        Box in pixels of the upright photo.
    label
        "female", "male" or "uncertain": perceived gender. A face of fewer than 16 pixels (32 in photos of more than 16
        megapixels) is always "uncertain": what such a face lacks, the network guesses.
    p_male
        Calibrated probability in [0, 1] that such a face is labelled "male".
    turned
        Degrees clockwise by which the photo was turned to bring the face upright: 0, 90, 180 or 270. The box is that
        of the photo before.
    small
        Whether the face is smaller than the 40 pixels from which on every face is found (80 in photos of more than 16
        megapixels): the answer is less certain than ``p_male`` says.
    """

    face: int
    x: int
    y: int
    width: int
    height: int
    label: str
    p_male: float
    turned: int = 0
    small: bool = False


class Predictor:
    """Predicts perceived gender from faces and photos; safe to call from many threads.

    Parameters
    ----------
    session
        ONNX Runtime session of the serving file: float32 (n, height, width, 3) RGB in [0, 255] -> logits (n, 1).
    card
        What ``model.json`` holds.
    """

    read_faces = staticmethod(faces_in_photo)  # from bytes to faces; needs no network, and may run in another process

    def __init__(self, session: onnxruntime.InferenceSession, card: Card) -> None:
        self._session = session
        self._content: bytes | None = None
        self.card = card

    def with_card(self, card: Card) -> Self:
        """Return the same network with another temperature or band."""
        changed = type(self)(self._session, card)
        changed._content = self._content
        return changed

    @classmethod
    def from_content(cls, card: str, content: bytes, *, threads: int = 1) -> Self:
        """Make a predictor of what `content` gives, in another process."""
        made = cls(_session(content, threads), Card.model_validate_json(card))
        made._content = content
        return made

    @property
    def content(self) -> tuple[str, bytes]:
        """Card, as JSON, and serving file: all that another process needs to predict the same.

        Raises
        ------
        ValueError
            If the predictor was not made from a file.
        """
        if self._content is None:
            raise ValueError("this predictor was not made from a file")
        return json.dumps(self.card.as_json()), self._content

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 0) -> Self:
        """Open a serving file and verify its checksum.

        Parameters
        ----------
        folder
            Folder with ``model.json`` and the file it names; default: the published model.
        threads
            Threads of one prediction; 0 takes one a core.

        Raises
        ------
        UserError
            If there is no model, or its file is not the one that its card describes.
        """
        folder = folder or published().model_folder
        if not (folder / CARD.name).exists():
            raise UserError(
                f"no model in {folder}: run `meanface train` and `meanface evaluate`, or `meanface publish`"
            )
        for _ in range(2):  # between card and file, another run may have been published
            card = CARD.read_file(folder / CARD.name)
            file = folder / card.file
            content = file.read_bytes() if file.exists() else b""
            if content and hashlib.sha256(content).hexdigest() == card.sha256:
                made = cls(_session(content, threads), card)
                made._content = content
                return made
        raise UserError(
            f"{file} is {'damaged or not the file that model.json describes' if content else 'missing or empty'}: "
            f"run `meanface publish {card.run}` again, or, if {folder} is that run's own, `meanface train` and "
            f"`meanface evaluate {card.run}`"
        )

    def logits(self, faces: np.ndarray) -> np.ndarray:
        """Uncalibrated scores.

        Parameters
        ----------
        faces
            uint8 (n, 109, 89, 3), RGB, faces in the frame.

        Returns
        -------
        numpy.ndarray
            float32 (n,): positive for "male".

        Raises
        ------
        ValueError
            If the array has another shape or dtype.
        """
        frame = self.card.input.frame
        if faces.ndim != 4 or faces.shape[1:] != (*frame, 3) or faces.dtype != np.uint8:
            raise ValueError(f"faces must be uint8 (n, {frame[0]}, {frame[1]}, 3), got {faces.dtype} {faces.shape}")
        return self.window_logits(window(faces, self.card.input.height, self.card.input.width))

    def window_logits(self, seen: np.ndarray) -> np.ndarray:
        """Uncalibrated scores of pictures that are cut to the network's window already.

        Parameters
        ----------
        seen
            uint8 (n, height, width, 3), RGB, of the size that the card's ``input`` gives.

        Returns
        -------
        numpy.ndarray
            float32 (n,): positive for "male".
        """
        return session_logits(self._session, seen)

    def predict_faces(self, faces: np.ndarray) -> np.ndarray:
        """Calibrated probability of "male" for aligned faces.

        Parameters
        ----------
        faces
            uint8 (n, 109, 89, 3), RGB, faces in the frame.

        Returns
        -------
        numpy.ndarray
            float32 (n,) in [0, 1].
        """
        return calibrated(self.logits(faces), self.card.temperature)

    def decide(self, p_male: float) -> str:
        """Say "female", "male", or "uncertain" inside the band that was chosen on the validation split."""
        return decision(p_male, self.card.band)

    def predict_photo(self, data: bytes, *, crop: Crop = "detect") -> list[FacePrediction]:
        """Find every face in a photo and predict each.

        Parameters
        ----------
        data
            Encoded photo, kept in memory only.
        crop
            "detect" finds and aligns faces; "none" takes the photo as one face in CelebA's frame already.

        Returns
        -------
        list of FacePrediction
            Largest face first; never empty.

        Raises
        ------
        PhotoError
            If the photo cannot be read.
        NoFaceError
            If there is no face in it.
        """
        return self.predict_crops(decoding.call(self.read_faces, data, crop))

    def predict_crops(self, crops: list[FaceCrop]) -> list[FacePrediction]:
        """Predict faces that were found in a photo.

        Parameters
        ----------
        crops
            What `read_faces` returns.
        """
        scores = self.predict_faces(np.stack([face.pixels for face in crops]))
        return [
            FacePrediction(
                number,
                *face.box,
                "uncertain" if face.too_small else self.decide(float(p)),
                float(p),
                face.turned,
                face.small,
            )
            for number, (face, p) in enumerate(zip(crops, scores, strict=True))
        ]


def open_session(file: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open a serving file; ``threads`` of one prediction, 0 takes one a core."""
    return _session(file.read_bytes(), threads)


def _session(content: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def session_logits(session: onnxruntime.InferenceSession, pictures: np.ndarray) -> np.ndarray:
    """Answers of a serving file, float32 (n,), to pictures (n, height, width, 3) in [0, 255], batch by batch."""
    name = session.get_inputs()[0].name
    parts = [
        session.run(None, {name: pictures[start : start + _BATCH].astype(np.float32)})[0][:, 0]
        for start in range(0, len(pictures), _BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def calibrated(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Probability of "male" after temperature scaling.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Parameters
    ----------
    logits
        float (n,).
    temperature
        Above 1 softens.

    Returns
    -------
    numpy.ndarray
        float32 (n,) in [0, 1].
    """
    return (1 / (1 + np.exp(-np.asarray(logits, np.float64) / temperature))).astype(np.float32)


def decision(p_male: float, band: Band) -> str:
    """Say "uncertain" strictly between the ends of the band, else the more probable label."""
    if band.low < p_male < band.high:
        return "uncertain"
    return "male" if p_male >= 0.5 else "female"
