"""Averages of any selection from small groups, and what is published of single images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.averages.aggregates import Aggregates
from analysis.averages.exact import moments
from analysis.averages.grouping import Aggregated, aggregate, has_groups, micro_aggregate
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, MIN_FACES
from analysis.data.dataset import Dataset
from analysis.results import artifacts
from analysis.study.rows import face_rows


@pytest.fixture(scope="module")
def made(demo_home: Path) -> Aggregated:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        demo = Dataset.open("demo")
        return aggregate([demo], [face_rows(demo)])


def test_every_group_has_enough_people_of_one_label(made: Aggregated) -> None:
    assert made.arrays["people"].values.min() >= MIN_FACES
    groups = made.rows.groupby("aggregate")
    assert (groups["person"].nunique() >= MIN_FACES).all()
    assert (groups["label"].nunique() == 1).all()
    assert groups.size().tolist() == made.arrays["faces"].values.tolist()


@pytest.mark.parametrize("per_person", [1, 5])
def test_alike_faces_are_grouped_and_a_group_counts_people(rng: np.random.Generator, per_person: int) -> None:
    person = np.repeat(np.arange(100), per_person)
    space = rng.normal(size=(len(person), 3)).astype(np.float32)
    group = micro_aggregate(space, person)
    assert group.min() == 0
    assert all(len(np.unique(person[group == number])) >= MIN_FACES for number in range(group.max() + 1))
    assert group.max() + 1 > 1
    within = np.mean([space[group == number].var(axis=0).mean() for number in range(group.max() + 1)])
    assert within < 0.8 * space.var(axis=0).mean()


def test_too_few_people_make_one_group() -> None:
    assert micro_aggregate(np.zeros((20, 2), np.float32), np.arange(20)).tolist() == [0] * 20


def test_average_of_a_selection_is_close_to_the_exact_one(made: Aggregated, demo: Path, tmp_path: Path) -> None:
    made.write(tmp_path)
    dataset = Dataset.open("demo")
    rows = artifacts.FACES.read_file(tmp_path / artifacts.FACES.name)
    engine = Aggregates(artifacts.AGGREGATES.read_file(tmp_path / artifacts.AGGREGATES.name), rows, (109, 89))
    label = (rows["label"] == "male").to_numpy()
    bright = (rows["brightness"] > rows["brightness"].median()).to_numpy()
    for chosen in (np.ones(len(rows), bool), label, bright):
        members = np.zeros((1, len(dataset.manifest)), bool)
        members[0, made.rows.loc[chosen, "row"]] = True
        exact = moments(dataset.faces, members)[1][0]
        off = 255 * np.sqrt(np.mean((engine.average(chosen) - exact) ** 2))
        whole = 255 * np.sqrt(np.mean((engine.average(np.ones(len(rows), bool)) - exact) ** 2))
        assert off < 2.5
        assert chosen.all() or off < 0.6 * whole


def test_a_selection_of_few_faces_has_no_average(made: Aggregated) -> None:
    engine = Aggregates(made.arrays, made.rows, (109, 89))
    with pytest.raises(UserError, match="15 faces: an average of fewer than 16"):
        engine.average(np.arange(15))


def test_nothing_published_names_a_person_or_holds_a_picture(made: Aggregated, tmp_path: Path) -> None:
    made.write(tmp_path)
    rows = artifacts.FACES.read_file(tmp_path / artifacts.FACES.name)
    assert not {"row", "person", "identity", "phash", "hash", "source_path"} & set(rows)
    assert set(rows) <= {column.name for column in artifacts.FACES.columns}
    assert (
        len(made.arrays["aggregate"] if "aggregate" in made.arrays else made.arrays["faces"]) <= len(rows) // MIN_FACES
    )


def test_errors_are_measured_on_the_kinds_of_selection_that_the_data_allow(made: Aggregated) -> None:
    assert set(made.errors["dataset"]) == {"demo"}
    assert {"random faces", "range of a measure"} <= set(made.errors["kind"])
    assert (made.errors["error"] < made.errors["difference"]).all()
    assert (made.errors["error"] <= made.errors["error_high"]).all()


def test_a_label_with_few_people_has_no_groups() -> None:
    rows = pd.DataFrame({"label": ["female"] * 16 + ["male"] * 15, "person": [str(i) for i in range(31)]})
    assert not has_groups(rows)
    assert has_groups(pd.concat([rows, pd.DataFrame({"label": ["male"], "person": ["31"]})]))


def test_rows_hold_what_the_manifest_knows(demo: Path) -> None:
    dataset = Dataset.open("demo")
    rows = face_rows(dataset)
    assert rows["image_id"].tolist() == dataset.manifest.loc[dataset.usable, "image_id"].tolist()
    known = [name for name in CELEBA_ATTRIBUTES if name in dataset.manifest and dataset.manifest[name].notna().any()]
    assert set(known) <= set(rows)
    used = dataset.manifest[dataset.usable].reset_index(drop=True)
    assert np.abs(rows["brightness"] - used["brightness"]).max() <= 0.0101
    assert (np.abs(rows["sharpness"] / used["sharpness"] - 1) <= 0.0501).all()
