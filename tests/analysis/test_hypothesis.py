"""The test of the hypothesis: finds what is there, finds nothing where nothing is, and counts people."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from analysis import hypothesis
from analysis.average_face import average_faces
from analysis.errors import UserError
from analysis.hypothesis import accuracy_interval, average_by_person, hedges_g, mean_effect_interval, permutation_test


def made_faces(n: int, shift: int, seed: int = 0) -> tuple[xr.DataArray, pd.DataFrame]:
    """Noise in which men are brighter by ``shift`` steps in one corner; two photos a person."""
    rng = np.random.default_rng(seed)
    male = np.repeat(np.arange(n // 2) % 2 == 1, 2)
    pixels = rng.normal(120, 20, (n, 8, 6, 1)) + np.zeros((n, 8, 6, 3))
    pixels[:, :3, :3] += shift * male[:, None, None, None]
    manifest = pd.DataFrame(
        {
            "image_id": [f"{i}.jpg" for i in range(n)],
            "label": np.where(male, "male", "female"),
            "split": np.where(np.arange(n) < n * 0.7, "train", "test"),
            "identity": pd.array(np.arange(n) // 2, dtype="Int64"),
            "status": "ok",
        }
    )
    return xr.DataArray(pixels.clip(0, 255).astype(np.uint8), dims=("image", "y", "x", "channel")), manifest


def test_hedges_g_agrees_with_its_definition(rng: np.random.Generator) -> None:
    images = rng.normal(50, 5, (30, 4)).astype(np.float32)
    male = np.arange(30) < 12
    one, zero = images[male].astype(float), images[~male].astype(float)
    pooled = np.sqrt((11 * one.var(axis=0, ddof=1) + 17 * zero.var(axis=0, ddof=1)) / 28)
    expected = (1 - 3 / (4 * 28 - 1)) * (one.mean(axis=0) - zero.mean(axis=0)) / pooled
    np.testing.assert_allclose(hedges_g(images, male[None])[0], expected, rtol=1e-4)


def test_real_difference_is_found_where_it_is() -> None:
    faces, manifest = made_faces(400, shift=30)
    record, effect = hypothesis.examine(faces, manifest, permutations=200, control_permutations=200, resamples=50)
    assert record["verdict"] == "supported"
    assert record["p_value"] == pytest.approx(1 / 201)
    assert effect[:3, :3].min() > record["critical_abs_g"]
    assert np.abs(effect[4:, 4:]).max() < record["critical_abs_g"]
    assert record["area_significant"] == pytest.approx(9 / 48, abs=0.03)
    low, high = record["mean_abs_g_interval"]
    assert low < high
    assert record["nearest_average"]["accuracy"] > 0.8


def test_no_difference_is_not_supported() -> None:
    faces, manifest = made_faces(400, shift=0, seed=3)
    record, _ = hypothesis.examine(faces, manifest, permutations=200, control_permutations=200, resamples=50)
    assert record["verdict"] != "supported"
    assert record["p_value"] > 0.05


def test_failed_control_makes_the_verdict_inconclusive() -> None:
    assert hypothesis._verdict(0.001, [0.5, 0.001, 0.4], 0.6) == "inconclusive"
    assert hypothesis._verdict(0.001, [0.5, 0.2, 0.4], 0.6) == "supported"
    assert hypothesis._verdict(0.2, [0.5, 0.2, 0.4], 0.6) == "not supported"
    assert hypothesis._verdict(0.001, [0.5, 0.2, 0.4], 0.49) == "inconclusive"


def test_p_values_of_a_true_null_are_spread_evenly(rng: np.random.Generator) -> None:
    values = [
        permutation_test(
            rng.normal(size=(40, 30)).astype(np.float32), np.arange(40) < 20, permutations=99, rng=rng
        ).p_value
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(np.array(values) <= 0.05) <= 0.10
    assert 0.4 < np.mean(values) < 0.6


def test_people_count_and_not_photos() -> None:
    faces, manifest = made_faces(40, shift=0)
    people = average_by_person(faces, manifest)
    assert people.images.shape == (20, 48)
    expected = hypothesis.lightness(faces.to_numpy()[:2]).mean(axis=0).ravel()
    np.testing.assert_allclose(people.images[0], expected, rtol=1e-5)


def test_person_under_both_labels_is_left_out_and_counted() -> None:
    faces, manifest = made_faces(40, shift=0)
    manifest.loc[0, "label"] = "male"
    people = average_by_person(faces, manifest)
    assert people.mixed == 1
    assert len(people.images) == 19


def test_images_without_identity_count_as_people() -> None:
    faces, manifest = made_faces(40, shift=0)
    assert len(average_by_person(faces, manifest.drop(columns="identity")).images) == 40


def test_one_label_alone_is_refused() -> None:
    faces, manifest = made_faces(40, shift=0)
    manifest["label"] = "male"
    with pytest.raises(UserError, match="two people of each label"):
        average_by_person(faces, manifest)


def test_mean_effect_interval_holds_the_estimate_and_narrows_with_people() -> None:
    widths = []
    for n in (60, 600):
        faces, manifest = made_faces(n, shift=25)
        people = average_by_person(faces, manifest)
        low, high = mean_effect_interval(people.images, people.male, resamples=200, rng=np.random.default_rng(0))
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_accuracy_interval_resamples_people() -> None:
    right = pd.Series([True] * 90 + [False] * 10)
    alone = accuracy_interval(right, None, rng=np.random.default_rng(0))
    grouped = accuracy_interval(right, pd.Series(np.arange(100) // 10), rng=np.random.default_rng(0))
    assert alone[0] < 0.9 < alone[1]
    assert grouped[1] - grouped[0] > alone[1] - alone[0]
    assert accuracy_interval(pd.Series([True] * 5), None, rng=np.random.default_rng(0)) == (1.0, 1.0)


def test_average_faces_agree_with_numpy_and_leave_out_rows_without_a_group() -> None:
    faces, manifest = made_faces(50, shift=10)
    groups = manifest["label"].where(manifest.index != 3)
    found = average_faces(faces.chunk(image=7), groups)
    chosen = faces.to_numpy()[(groups == "female").to_numpy()] / 255
    np.testing.assert_allclose(found["mean"].sel(label="female"), chosen.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found["spread"].sel(label="female"), chosen.std(axis=0, ddof=1), atol=1e-5)
    np.testing.assert_allclose(
        found["sem"].sel(label="female"), chosen.std(axis=0, ddof=1) / np.sqrt(len(chosen)), atol=1e-5
    )
    assert int(found["count"].sum()) == 49


def test_empty_subset_and_subset_of_one_say_so() -> None:
    faces, manifest = made_faces(10, shift=0)
    with pytest.raises(UserError, match="empty"):
        average_faces(faces, pd.Series([None] * 10, dtype="string"))
    with pytest.raises(UserError, match="single face"):
        average_faces(faces, manifest["label"].where(manifest.index == 0))
