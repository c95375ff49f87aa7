"""Stands in for the model: a predictor without a network, and plain pictures that it answers to."""

import io

import numpy as np
from PIL import Image

from analysis.data.photo import read_photo
from analysis.results.records import Band, Card, CardInput
from model.faces import FaceCrop, NoFaceError
from model.predict import FacePrediction


class FakePredictor:
    """Answers as `model.predict.Predictor` does: the brighter a photo, the more "male"; a black one has no face."""

    card = Card(
        file="model.onnx",
        run="synthetic",
        test_accuracy=0.97,
        labels=["female", "male"],
        band=Band(low=0.4, high=0.6),
        temperature=1.0,
        sha256="0" * 64,
        parameters=123456,
        input=CardInput(height=80, width=80, frame=(109, 89)),
    )

    @property
    def content(self):
        raise ValueError("this predictor was not made from a file")  # it stays in the server's own process

    def decide(self, p_male):
        if self.card.band.low < p_male < self.card.band.high:
            return "uncertain"
        return "male" if p_male >= 0.5 else "female"

    @staticmethod
    def read_faces(data, crop="detect"):
        photo = read_photo(data)
        if not photo.pixels.any():
            raise NoFaceError("no face found: send a photo in which a face is in full view")
        box = (0, 0, photo.width, photo.height)
        return [FaceCrop(box, photo.pixels)]

    @staticmethod
    def logits(faces):
        return faces.mean(axis=(1, 2, 3)) / 25 - 5

    def predict_crops(self, crops):
        scores = [round(float(face.pixels.mean() / 255), 2) for face in crops]
        return [
            FacePrediction(number, *face.box, self.decide(p_male), p_male, face.turned, face.small)
            for number, (face, p_male) in enumerate(zip(crops, scores, strict=True))
        ]


def photo(brightness, *, size=(64, 48), kind="PNG"):
    """Encode a plain picture, or noise where ``brightness`` is None."""
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    if brightness is not None:
        pixels[:] = brightness
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, kind)
    return encoded.getvalue()


FEMALE, MALE, UNCERTAIN, NO_FACE = photo(40), photo(220), photo(130), photo(0)
