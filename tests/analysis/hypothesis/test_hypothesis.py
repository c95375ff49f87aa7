"""The test of the hypothesis as a whole: finds what is there, finds nothing where nothing is, and counts people."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_faces import made_faces

from analysis.core.errors import UserError
from analysis.hypothesis.people import average_by_person, lab, read_photos
from analysis.hypothesis.test import Findings, examine
from analysis.results import Results

QUICK = {"permutations": 200, "control_permutations": 199, "splits": 40, "resamples": 50}


@pytest.fixture(scope="module")
def found() -> Findings:
    faces, manifest = made_faces(400, shift=30)
    others = {"other": made_faces(200, shift=30, seed=1)}
    return examine(faces, manifest, others=others, **QUICK)  # type: ignore[arg-type]


def test_real_difference_is_found_where_it_is(found: Findings) -> None:
    record = found.record
    assert record.verdict == "supported"
    assert all(record.criteria.values())
    assert record.p_value == pytest.approx(1 / 201)
    effect = found.maps["effect"].sel(channel="L").to_numpy()
    assert effect[5:9, 4:8].min() > record.critical_abs_g
    assert np.abs(effect[:4, :3]).max() < record.critical_abs_g
    assert record.area_significant_by_channel["L"] == pytest.approx(16 / 144, abs=0.03)
    low, high = record.mean_abs_g_interval
    assert low < record.mean_abs_g < high
    assert record.nearest_average.accuracy > 0.8
    assert record.carried_over["other"].nearest_average.accuracy > 0.8
    assert record.largest_in_face == record.largest
    assert record.largest.channel == "L"


DEVIATION = 20 / np.sqrt(2)  # of the average of a person's two photos


@pytest.mark.parametrize(
    ("planted", "people", "said"),
    [
        (0.0, 2500, "no difference"),
        (0.1, 6000, "not worth speaking of"),
        (0.5, 2500, "supported"),
        (0.0, 100, "inconclusive"),  # too few to exclude a difference that counts
    ],
)
def test_verdict_says_how_large_a_planted_difference_is(planted: float, people: int, said: str) -> None:
    faces, manifest = made_faces(2 * people, shift=planted * DEVIATION, seed=3)
    record = examine(faces, manifest, **QUICK).record  # type: ignore[arg-type]
    assert record.verdict == record.shade == said, (record.criteria, record.largest_in_face, record.critical_abs_g)
    assert record.shape is None and record.shape_criteria is None


def test_no_difference_is_not_supported() -> None:
    faces, manifest = made_faces(400, shift=0, seed=3)
    found = examine(faces, manifest, **QUICK)  # type: ignore[arg-type]
    assert found.record.verdict == "inconclusive"
    assert found.record.p_value > 0.05
    assert found.record.criteria["elsewhere"] is None
    assert found.elsewhere.empty


def test_findings_are_written_as_results_read_them(found: Findings, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    found.write(tmp_path / "study")
    results = Results(tmp_path)
    assert results.hypothesis == found.record
    pd.testing.assert_frame_equal(results.regions, found.regions)
    assert set(results.confounders["comparison"]) == set(results.effects["comparison"].values)
    assert results.effects["elsewhere"].sizes["dataset"] == 1
    assert not results.balance.empty
    assert set(results.elsewhere["channel"]) == {"L", "a", "b", "all"}


def test_nothing_to_compare_with_is_written_and_read(tmp_path: Path) -> None:
    faces, manifest = made_faces(120, shift=20)
    (tmp_path / "study").mkdir()
    examine(faces, manifest, **QUICK).write(tmp_path / "study")  # type: ignore[arg-type]
    assert Results(tmp_path).elsewhere.empty
    assert Results(tmp_path).effects["elsewhere"].sizes["dataset"] == 0


def test_people_count_and_not_photos() -> None:
    faces, manifest = made_faces(40, shift=0)
    people = average_by_person(faces, manifest)
    assert people.images.shape == (20, 3 * 144)
    averages = people.images[:, :]
    np.testing.assert_allclose(averages[0], lab(faces.to_numpy()[:2]).mean(axis=0).ravel(), rtol=1e-4, atol=1e-4)
    photos = read_photos(faces, manifest, rng=np.random.default_rng(0))
    assert photos.images.shape == (40, 3 * 36)
    np.testing.assert_allclose(
        photos.by_person().images[:, :].reshape(20, 3, -1).mean(axis=2),
        averages.reshape(20, 3, -1).mean(axis=2),
        atol=1e-2,
    )
    drawn = photos.one_per_person(np.random.default_rng(0))
    assert photos.table["person"].iloc[drawn].is_unique
    assert len(drawn) == 20


def test_lightness_and_colour_are_cielab() -> None:
    colours = lab(np.array([[[[255, 255, 255], [0, 0, 0], [255, 0, 0]]]], dtype=np.uint8))[0, :, 0]
    np.testing.assert_allclose(colours[:, 0], [100, 0, 0], atol=0.5)
    np.testing.assert_allclose(colours[:, 1], 0, atol=0.5)
    np.testing.assert_allclose(colours[:, 2], [53.2, 80.1, 67.2], atol=0.5)


def test_person_under_both_labels_is_left_out_and_counted() -> None:
    faces, manifest = made_faces(40, shift=0)
    manifest.loc[0, "label"] = "male"
    people = average_by_person(faces, manifest)
    assert people.mixed == 1
    assert len(people.images) == 19
    assert len(read_photos(faces, manifest, rng=np.random.default_rng(0)).by_person().images) == 19


def test_images_without_identity_count_as_people() -> None:
    faces, manifest = made_faces(40, shift=0)
    assert len(average_by_person(faces, manifest.drop(columns="identity")).images) == 40


def test_more_people_than_memory_allows_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.hypothesis import people

    monkeypatch.setattr(people, "MOST_PEOPLE", 12)
    monkeypatch.setattr(people, "MOST_PHOTOS", 15)
    faces, manifest = made_faces(40, shift=0)
    found = average_by_person(faces, manifest, rng=np.random.default_rng(0))
    assert len(found.images) == 12
    assert found.left_out == 8
    photos = read_photos(faces, manifest, rng=np.random.default_rng(0))
    assert len(photos.table) == 15
    assert photos.table["person"].nunique() == 15


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda m: m["image_id"] == "", "subset is empty"),
        (lambda m: m["identity"] == 0, "single person"),
        (lambda m: m["label"] == "male", "nobody is labelled female"),
        (lambda m: (m["label"] == "male") | (m["identity"] == 0), "a single person is labelled female"),
    ],
)
def test_subset_without_two_people_of_each_label_is_refused(keep: object, said: str) -> None:
    faces, manifest = made_faces(40, shift=0)
    manifest["status"] = np.where(keep(manifest), "ok", "excluded")  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        average_by_person(faces, manifest)


def test_identities_that_hold_both_labels_everywhere_are_named_as_the_reason() -> None:
    faces, manifest = made_faces(40, shift=0)
    manifest["identity"], manifest["label"] = np.arange(40) // 2, np.tile(["female", "male"], 20)
    with pytest.raises(UserError, match="both labels: check the identities"):
        average_by_person(faces, manifest)


def test_malformed_manifest_is_refused_in_one_line() -> None:
    faces, manifest = made_faces(40, shift=0)
    with pytest.raises(UserError, match="lacks label.*ingest"):
        average_by_person(faces, manifest.drop(columns="label"))
    with pytest.raises(UserError, match="label '1'"):
        average_by_person(faces, manifest.assign(label=["1"] * 40))


def test_data_without_a_test_split_is_refused() -> None:
    faces, manifest = made_faces(40, shift=0)
    with pytest.raises(UserError, match="test split"):
        examine(faces, manifest.assign(split="train"), **QUICK)  # type: ignore[arg-type]
