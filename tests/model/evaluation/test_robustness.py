"""Degradations do what their units say, to every pixel the same each time; accuracy is told of each."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from analysis.data.alignment import fit_frame
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source
from model.evaluation.robustness import DEGRADATIONS, degraded_faces, example_face, robustness
from model.training.examples import Faces


@pytest.fixture
def face(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(40, 216, (8, 7, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((14, 13, 1), np.uint8))[:109, :89]


class Brightest:
    """Says "male" of a face whose mean is above 127: fooled by light alone."""

    def logits(self, faces: np.ndarray) -> np.ndarray:
        return faces.mean(axis=(1, 2, 3)) - 127


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_faces_keep_their_shape_and_the_same_chance_gives_the_same_face(name: str, face: np.ndarray) -> None:
    kind = DEGRADATIONS[name]
    for level in kind.levels:
        first, again = (kind.apply(face, level, np.random.default_rng(3)) for _ in range(2)) if (
            level != kind.intact
        ) else (face, face)  # fmt: skip
        assert first.shape == (109, 89, 3) and first.dtype == np.uint8
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", sorted(DEGRADATIONS))
def test_a_severer_level_changes_a_face_more(name: str, face: np.ndarray) -> None:
    kind = DEGRADATIONS[name]
    assert kind.intact in kind.levels and list(kind.levels) == sorted(kind.levels)
    by_severity = sorted((abs(level - kind.intact), level) for level in kind.levels if level != kind.intact)
    changes = [
        np.abs(kind.apply(face, level, np.random.default_rng(0)).astype(int) - face).mean() for _, level in by_severity
    ]
    assert changes[-1] > changes[0] > 0


def test_units_are_what_they_say(face: np.ndarray, rng: np.random.Generator) -> None:
    grey = np.full_like(face, 100)
    noisy = DEGRADATIONS["noise"].apply(grey, 20, rng)
    assert noisy.std() == pytest.approx(20, rel=0.03)
    white = np.full_like(face, 255)
    covered = DEGRADATIONS["occlusion"].apply(white, 20, rng)
    assert (covered == 127).mean() == pytest.approx(0.2, abs=0.01)
    darker = DEGRADATIONS["brightness"].apply(white, -1, rng)
    assert darker[0, 0, 0] == round(255 * 0.5 ** (1 / 2.2))
    assert DEGRADATIONS["brightness"].apply(grey, 2, rng).max() > 100


def test_every_source_kind_and_level_has_its_row(rng: np.random.Generator) -> None:
    pixels = np.clip(rng.normal(127, 3, (60, 1, 1, 1)) + rng.normal(0, 20, (60, 109, 89, 3)), 0, 255).astype(np.uint8)
    male = pixels.mean(axis=(1, 2, 3)) > 127
    table = pd.DataFrame({"dataset": ["a"] * 40 + ["b"] * 20, "label": np.where(male, "male", "female")})
    found = robustness(Brightest(), Faces(table, pixels), images=30, seed=0)
    assert found.groupby(["source", "degradation"]).size().tolist() == 2 * [
        len(DEGRADATIONS[name].levels) for name in sorted(DEGRADATIONS)
    ]
    assert found.groupby("source")["images"].first().to_dict() == {"a": 30, "b": 20}
    assert (found[found["intact"]]["accuracy"] == 1).all()
    dark = found[(found["degradation"] == "brightness") & (found["level"] == -4)].set_index("source")
    assert (dark["accuracy"] < 0.8).all()
    assert (dark["low"] <= dark["accuracy"]).all() and (dark["accuracy"] <= dark["high"]).all()


def test_pictures_show_every_level_of_every_kind(face: np.ndarray) -> None:
    found = degraded_faces(face, seed=3)
    assert found["face"].dtype == np.uint8 and found["face"].shape[1:] == (109, 89, 3)
    levels = {(name, level) for name, kind in DEGRADATIONS.items() for level in kind.levels}
    assert set(zip(found["degradation"].values, found["level"].values, strict=True)) == levels
    for picture in found["face"].values[found["intact"].values]:
        np.testing.assert_array_equal(picture, face)
    noise = found["face"].values[(found["degradation"] == "noise") & (found["level"] == 30)][0]
    np.testing.assert_array_equal(noise, DEGRADATIONS["noise"].apply(face, 30, np.random.default_rng(3)))


def test_the_face_that_is_published_is_one_of_the_composites() -> None:
    with zipfile.ZipFile(demo_source()) as archive:
        faces = [fit_frame(decode_photo(archive.read(name))) for name in archive.namelist() if name.endswith(".jpg")]
    shown = example_face()
    assert any(np.array_equal(shown, face) for face in faces)
