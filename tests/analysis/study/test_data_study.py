"""The data study: attributes that go together, people, repeated pictures, doubted labels and composites."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from synthetic_data_study import rows

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.study.cooccurrence import LABEL, cooccurrence_table
from analysis.study.label_noise import doubted_labels, out_of_fold_scores
from analysis.study.samples import PICTURES, sample_grid
from analysis.study.tables import duplicate_table, identity_table


def test_phi_is_the_correlation_of_yes_or_no(rng: np.random.Generator) -> None:
    found = rows(rng, 3000)
    table = cooccurrence_table(found, "images")
    assert len(table) == 40 * 39
    one = table[(table["first"] == "Smiling") & (table["second"] == LABEL)].iloc[0]
    assert one["phi"] == pytest.approx(np.corrcoef(found["Smiling"].astype(float), found["label"] == "male")[0, 1])
    assert one["both"] == pytest.approx((found["Smiling"] & (found["label"] == "male")).mean())


def test_attributes_of_one_group_end_up_side_by_side(rng: np.random.Generator) -> None:
    table = cooccurrence_table(rows(rng, 3000), "images")
    near = table[(table["first_place"] - table["second_place"]).abs() == 1]
    assert near["phi"].abs().mean() > 2 * table["phi"].abs().mean()


def test_attributes_that_never_change_are_left_out(rng: np.random.Generator) -> None:
    found = rows(rng, 200).assign(Bald=pd.array([False] * 200, dtype="boolean"))
    assert "Bald" not in set(cooccurrence_table(found, "images")["first"])
    assert cooccurrence_table(pd.DataFrame({"label": ["female", "male"]}), "images").empty


def test_people_are_counted_by_their_images_and_labels() -> None:
    found = pd.DataFrame(
        {
            "identity": pd.array([1, 1, 1, 2, 2, 3, 4, pd.NA], dtype="Int64"),
            "label": ["male", "male", "female", "female", "female", "male", "female", "male"],
        }
    )
    table = identity_table(found, "images").set_index("images")
    assert table["people"].to_dict() == {1: 2, 2: 1, 3: 1}
    assert table["mixed_people"].to_dict() == {1: 0, 2: 0, 3: 1}
    assert table["minority_images"].to_dict() == {1: 0, 2: 0, 3: 1}
    assert identity_table(found.drop(columns="identity"), "images").empty
    assert identity_table(found[found["label"] == "male"], "images")["mixed_people"].sum() == 0


def test_repeated_pictures_are_counted_by_what_they_disagree_about() -> None:
    manifest = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d"],
            "label": ["female", "female", "male", "male"],
            "split": ["train", "train", "test", "test"],
            "identity": pd.array([1, 1, 2, pd.NA], dtype="Int64"),
            "hash": ["x", "x", "y", "z"],
            "near_duplicate_of": pd.array([pd.NA, "a", "a", "a"], dtype="string"),
        }
    )
    table = duplicate_table(manifest)
    exact = table[table["kind"] == "exact"].iloc[0]
    assert (exact["same_split"], exact["same_label"], exact["same_person"], exact["images"]) == (True, True, True, 1)
    near = table[table["kind"] == "near"]
    assert near["images"].sum() == 2
    assert not near["same_label"].any() and not near["same_split"].any()
    assert near["same_person"].isna().sum() == 1
    assert duplicate_table(manifest.iloc[:1]).empty


@pytest.fixture(scope="module")
def striped() -> tuple[xr.DataArray, pd.DataFrame]:
    """Faces of noise; those labelled male have stripes, and ten labels are wrong."""
    rng = np.random.default_rng(3)
    count = 400
    male = np.arange(count) % 2 == 0
    faces = rng.integers(90, 160, (count, 109, 89, 3), dtype=np.uint8)
    faces[male, ::16] //= 4
    faces[male, 1::16] //= 4
    wrong = np.arange(count) < 10
    manifest = pd.DataFrame(
        {
            "image_id": [f"{i}.jpg" for i in range(count)],
            "label": np.where(male ^ wrong, "male", "female"),
            "split": "train",
            "status": "ok",
            "identity": pd.array(np.arange(count) // 2 * 2 + (np.arange(count) % 2), dtype="Int64"),
            "Blurry": pd.array(wrong | (np.arange(count) >= 370), dtype="boolean"),
        }
    )
    return xr.DataArray(faces, dims=("image", "y", "x", "channel")), manifest


def test_wrong_labels_are_doubted_out_of_fold(striped: tuple[xr.DataArray, pd.DataFrame]) -> None:
    facts, groups = doubted_labels(*striped, progress=False)
    assert facts.accuracy == pytest.approx(0.975, abs=0.01)
    assert facts.suggested == {"female to male": 5, "male to female": 5}
    assert facts.noise_rate == pytest.approx(0.025, abs=0.01)
    shares = groups.set_index("group")
    assert shares.loc["all faces", "doubted"] == 10
    assert shares.loc["Blurry", "share"] == pytest.approx(10 / 40)
    assert (groups["low"] <= groups["share"]).all() and (groups["share"] <= groups["high"]).all()


def test_shuffled_labels_cannot_be_predicted_out_of_fold(striped: tuple[xr.DataArray, pd.DataFrame]) -> None:
    faces, manifest = striped
    shuffled = manifest.assign(label=manifest["label"].sample(frac=1, random_state=0).to_numpy())
    scores = out_of_fold_scores(faces, shuffled, progress=False)
    assert ((scores["p_male"] >= 0.5) == (scores["label"] == "male")).mean() == pytest.approx(0.5, abs=0.12)


def test_too_few_people_for_folds_are_refused(striped: tuple[xr.DataArray, pd.DataFrame]) -> None:
    faces, manifest = striped
    few = manifest.assign(identity=pd.array([1 if label == "male" else i for i, label in enumerate(manifest["label"])]))
    with pytest.raises(UserError, match="only 1 people are labelled male"):
        out_of_fold_scores(faces, few, progress=False)


def test_composites_show_enough_people_of_one_label(demo: object) -> None:
    faces, manifest = Dataset.open("demo").faces, Dataset.open("demo").manifest
    found = sample_grid(faces, manifest)
    assert found["face"].shape == (2 * PICTURES, 109, 89, 3)
    assert (found["members"] >= 16).all()
    few = sample_grid(faces, manifest.assign(status=["ok"] * 20 + ["broken"] * (len(manifest) - 20)))
    assert few.sizes["picture"] == 0
