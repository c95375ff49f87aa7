"""Robustness: accuracy as faces are blurred, darkened, turned or covered.

Every degradation has a severity in a unit that a photographer could measure, and is applied to the aligned face, as if
detection had still found it.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from analysis.core.people import accuracy_interval
from analysis.data.alignment import fit_frame
from analysis.data.measures import measure_faces
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source
from model.predict import Predictor
from model.training.examples import Faces

_RESAMPLES = 1000


@dataclass(frozen=True)
class Degradation:
    """One way in which a photo is worse.

    Attributes
    ----------
    unit
        Unit of the severity.
    levels
        Severities in rising order of the axis; one of them, ``intact``, leaves the face as it is.
    intact
        That severity.
    apply
        (face, severity, rng) -> face, uint8 (109, 89, 3) RGB.
    """

    unit: str
    levels: tuple[float, ...]
    intact: float
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _blur(face: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), sigma)


def _noise(face: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(face + rng.normal(0, deviation, face.shape)), 0, 255).astype(np.uint8)


def _jpeg(face: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    _, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _resolution(face: np.ndarray, rows: float, rng: np.random.Generator) -> np.ndarray:
    height, width = face.shape[:2]
    small = cv2.resize(face, (max(1, round(width * rows / height)), int(rows)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _rotation(face: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    height, width = face.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(rng.choice([-1, 1])) * degrees, 1.0)
    return cv2.warpAffine(face, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _occlusion(face: np.ndarray, covered: float, rng: np.random.Generator) -> np.ndarray:
    height, width = face.shape[:2]
    scale = np.sqrt(covered / 100)
    rows, columns = round(height * scale), round(width * scale)
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    face = face.copy()
    face[top : top + rows, left : left + columns] = 127
    return face


def _brightness(face: np.ndarray, stops: float, rng: np.random.Generator) -> np.ndarray:
    # A stop doubles the light, and light is linear where the pixels of a photo are not (gamma 2.2).
    table = 255 * np.clip((np.arange(256) / 255) ** 2.2 * 2.0**stops, 0, 1) ** (1 / 2.2)
    return cv2.LUT(face, np.rint(table).astype(np.uint8))


DEGRADATIONS = {
    "blur": Degradation("standard deviation in pixels of 109 rows", (0, 1, 2, 3, 4, 6), 0, _blur),
    "noise": Degradation("standard deviation in grey levels (0 to 255)", (0, 10, 20, 30, 45, 60), 0, _noise),
    "JPEG quality": Degradation("1 to 100, 100 left uncompressed", (5, 10, 20, 40, 60, 100), 100, _jpeg),
    "resolution": Degradation("rows of the face, enlarged again", (12, 16, 24, 36, 60, 109), 109, _resolution),
    "rotation": Degradation("degrees to either side", (0, 5, 10, 20, 30, 45), 0, _rotation),
    "occlusion": Degradation("% of the face covered by grey", (0, 5, 10, 20, 30, 40), 0, _occlusion),
    "brightness": Degradation("photographic stops", (-4, -3, -2, -1, 0, 1, 2), 0, _brightness),
}


def degraded_faces(face: np.ndarray, *, seed: int) -> xr.Dataset:
    """One face at each severity of each degradation, made worse as `robustness` makes its test images worse.

    Parameters
    ----------
    face
        uint8 (109, 89, 3), RGB; it is published, so it may not be a person's.
    seed
        Of each degradation's chance.

    Returns
    -------
    xarray.Dataset
        ``face`` (picture, y, x, channel), uint8, with ``degradation``, ``level`` and ``intact`` of each picture.
    """
    pictures = [
        (name, float(level), level == kind.intact, _degraded(kind, face, level, np.random.default_rng(seed)))
        for name, kind in DEGRADATIONS.items()
        for level in kind.levels
    ]
    names, levels, intact, faces = (list(column) for column in zip(*pictures, strict=True))
    return xr.Dataset(
        {
            "face": (("picture", "y", "x", "channel"), np.stack(faces)),
            "degradation": ("picture", names),
            "level": ("picture", levels),
            "intact": ("picture", intact),
        },
        coords={"channel": ["R", "G", "B"]},
    )


def _degraded(kind: Degradation, face: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return face if level == kind.intact else kind.apply(face, level, rng)


def example_face() -> np.ndarray:
    """The sharpest of the demo faces, on which degradations show best: a composite of 24 people, nobody's photo.

    Returns
    -------
    numpy.ndarray
        uint8 (109, 89, 3), RGB.
    """
    with zipfile.ZipFile(demo_source()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        faces = np.stack([fit_frame(decode_photo(archive.read(name))) for name in names])
    sharpness = [measures["sharpness"] for measures in measure_faces(faces)]
    return np.asarray(faces[int(np.argmax(sharpness))])


def robustness(predictor: Predictor, test: Faces, *, images: int, seed: int, progress: bool = False) -> pd.DataFrame:
    """Accuracy of each source at each severity of each degradation, on the same images throughout.

    Parameters
    ----------
    predictor
        The serving file.
    test
        Test images of all sources.
    images
        How many are drawn of each source, at most.
    seed
        Random seed of the sample, of the degradations and of the bootstrap.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    pandas.DataFrame
        ``source, degradation, unit, level, intact`` (bool: nothing done), ``images`` and, in [0, 1], ``accuracy`` with
        its 95 % interval ``low``, ``high`` (people resampled).
    """
    rows = []
    intact: dict[str, np.ndarray] = {}
    work = [(source, name) for source in dict.fromkeys(test.table["dataset"]) for name in DEGRADATIONS]
    for source, name in tqdm(work, desc="Degrading", unit="kind", disable=not progress):
        own = np.flatnonzero(test.table["dataset"] == source)
        chosen = np.sort(np.random.default_rng(seed).permutation(own)[:images])
        faces, table = test.pixels[chosen], test.table.iloc[chosen].reset_index(drop=True)
        male = (table["label"] == "male").to_numpy()
        kind = DEGRADATIONS[name]
        if source not in intact:
            intact[source] = predictor.logits(faces)
        for level in kind.levels:
            rng = np.random.default_rng(seed)  # the same chance at every severity: levels differ in nothing else
            if level == kind.intact:
                logits = intact[source]
            else:
                logits = predictor.logits(np.stack([kind.apply(face, level, rng) for face in faces]))
            right = pd.Series((logits >= 0) == male)
            low, high = accuracy_interval(
                right, table.get("identity"), rng=np.random.default_rng(seed), count=_RESAMPLES
            )
            rows.append(
                (source, name, kind.unit, float(level), level == kind.intact, len(right), right.mean(), low, high)
            )
    columns = ["source", "degradation", "unit", "level", "intact", "images", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
