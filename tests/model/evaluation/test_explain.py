"""An explanation finds what the answer rests on, beats walks that know nothing, and shows no single face."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from analysis.core.schema import MIN_FACES
from model.evaluation.explain import explain
from model.training.examples import Faces

PLACE = (slice(60, 84), slice(8, 30))  # off the centre, where the made-up predictor looks


class Looks:
    """Goes by the contrast of one patch, which blurring takes away: stripes say "male", a checkerboard "female"."""

    def __init__(self) -> None:
        self.card = SimpleNamespace(temperature=1.0)

    def logits(self, faces: np.ndarray) -> np.ndarray:
        patch = faces[:, *PLACE, 0].astype(np.float64) - 127
        sign = np.where(np.arange(patch.shape[2]) % 2, 1.0, -1.0)
        stripes = (patch * sign).mean(axis=(1, 2))
        other = (patch * sign * np.where(np.arange(patch.shape[1]) % 2, 1.0, -1.0)[:, None]).mean(axis=(1, 2))
        return (stripes - other) / 8


@pytest.fixture(scope="module")
def faces() -> Faces:
    rng = np.random.default_rng(5)
    n = 44
    pixels = np.clip(127 + rng.normal(0, 20, (n, 109, 89, 3)), 0, 255)
    sign = np.where(np.arange(22) % 2, 30.0, -30.0)
    rows = np.where(np.arange(24) % 2, 1.0, -1.0)[:, None]
    for i in range(n):
        pixels[i][PLACE] = 127 + (sign if i % 2 else sign * rows)[..., None]
    table = pd.DataFrame({"dataset": ["a"] * n, "label": np.where(np.arange(n) % 2, "male", "female")})
    return Faces(table, pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def explanation(faces: Faces) -> xr.Dataset:
    return explain(Looks(), faces, faces=40, seed=0, masks=80)


def test_heat_is_where_the_predictor_looks(explanation: xr.Dataset) -> None:
    for label in ("female", "male"):
        heat = explanation["heat"].sel(label=label).to_numpy()
        inside = heat[PLACE].mean()
        outside = np.delete(heat, range(50, 94), axis=0).mean()
        assert inside > 5 * abs(outside)


def test_explanation_beats_walks_that_know_nothing(explanation: xr.Dataset) -> None:
    rivals = explanation.sel(order=["centre first", "random patches"])
    assert (rivals["advantage_low"].sel(walk="deletion") > 0).all()
    assert (rivals["advantage_low"] <= rivals["advantage"]).all()
    assert (explanation["advantage"].sel(order="explanation") == 0).all()


def test_walks_start_and_end_at_the_same_two_faces(explanation: xr.Dataset) -> None:
    p = explanation["probability"]
    whole, blurred = p.sel(walk="deletion", share=0), p.sel(walk="deletion", share=1)
    np.testing.assert_allclose(whole, whole[0], atol=1e-6)
    np.testing.assert_allclose(p.sel(walk="insertion", share=1), whole, atol=1e-6)
    np.testing.assert_allclose(p.sel(walk="insertion", share=0), blurred, atol=1e-6)


def test_only_averages_over_enough_faces_leave(faces: Faces, explanation: xr.Dataset) -> None:
    assert explanation["count"].to_numpy().tolist() == [20, 20]
    fewer = explain(Looks(), faces, faces=2 * MIN_FACES - 2, seed=0, masks=4)
    assert fewer.sizes["label"] == 0 and fewer["face"].size == 0


def test_the_same_seed_explains_alike(faces: Faces) -> None:
    first, again = (explain(Looks(), faces, faces=4, seed=1, masks=8) for _ in range(2))
    xr.testing.assert_identical(first, again)
