"""What is drawn and said of two subsets, and where their averages come from."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import ENGINES, write_results

from analysis import figures
from analysis.averages.base import Average, difference
from analysis.averages.compressed import average_folder
from analysis.averages.filters import load_table
from analysis.averages.fit import build_engine
from analysis.averages.gallery import compare_published
from analysis.averages.source import LiveSubsets, PublishedSubsets, subset_source
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Results
from analysis.results.records import Agreement

FEMALE, MALE = "label == 'female'", "label == 'male'"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("run"))


def one(level: float, spread: float, count: int) -> Average:
    return Average(np.full((6, 6, 3), level, np.float32), np.full((6, 6, 3), spread, np.float32), count)


def test_difference_is_told_as_first_minus_second_in_steps() -> None:
    found = difference(one(0.6, 0.2, 100), one(0.4, 0.2, 100), 0)
    reading = figures.subsets.subset_difference_reading(found)
    assert "first is 51.0 of 255 steps lighter" in reading
    assert f"standard error {255 * 0.02 * 2**0.5:.1f}" in reading


def test_certainty_is_the_difference_in_standard_errors() -> None:
    found = difference(one(0.5, 0.2, 100), one(0.4, 0.2, 100), 0)
    assert figures.subsets.subset_certainty(found).dimension_values("value") == pytest.approx(
        0.1 / (0.02 * 2**0.5), rel=1e-4
    )
    assert "In 100 % of the picture" in figures.subsets.subset_certainty_reading(found)


def test_the_effect_is_hedges_g_and_does_not_grow_with_the_number_of_faces() -> None:
    few, many = (difference(one(0.5, 0.2, count), one(0.4, 0.2, count), 0) for count in (20, 2000))
    assert figures.subsets.subset_effect(many) == pytest.approx(0.5, abs=1e-3)
    assert figures.subsets.subset_effect(few) == pytest.approx(0.5 * (1 - 3 / (4 * 38 - 1)), rel=1e-5)
    assert "g = +0.50" in figures.subsets.subset_effect_reading(many)


def test_a_subset_beside_itself_is_told_to_be_the_same() -> None:
    same = one(0.5, 0.2, 50)
    found = difference(same, same, 50)
    assert figures.subsets.subset_difference_reading(found) == "The two averages are the same."
    assert not figures.subsets.subset_certainty(found).dimension_values("value").any()
    assert "50 faces are in both" in figures.subsets.subset_faces_reading(found)


def test_gallery_shows_a_named_picture_of_each_subset(results: Results) -> None:
    page = figures.subsets.gallery(results.subsets, {"female": "female", "male, smiling": "<smiling>"}).data
    assert page.count("data:image/webp;base64,") == 2
    assert re.findall(r'alt="Average face: ([^"]*)"', page) == ["female", "male, smiling"]
    assert "n = 600" in page and "&lt;smiling&gt;" in page


def test_gallery_reading_names_the_farthest_subset(results: Results) -> None:
    assert "“smiling”" in figures.subsets.gallery_reading(results.subsets, "female")
    assert "No group" in figures.subsets.gallery_reading(results.subsets, "all faces")


def test_agreement_is_told_only_where_it_was_measured() -> None:
    assert "at most 0.67 of 255 steps" in figures.subsets.agreement_reading(Agreement(**ENGINES))
    assert "255 steps" not in figures.subsets.agreement_reading(Agreement(**(ENGINES | {"subsets": 0})))


def test_published_subsets_know_the_faces_they_share(results: Results) -> None:
    apart = compare_published(results.subsets, FEMALE, MALE)
    inside = compare_published(results.subsets, FEMALE, f"{FEMALE} and Smiling")
    assert (apart.shared, inside.shared) == (0, 150)
    np.testing.assert_allclose(apart.sem**2, apart.first.sem**2 + apart.second.sem**2, rtol=1e-5)
    assert (inside.sem < inside.second.sem).all()
    with pytest.raises(UserError, match="not among the published"):
        compare_published(results.subsets, FEMALE, "Smiling")


def test_source_is_the_data_set_where_it_was_studied_here(home: Path, demo_home: Path, results: Results) -> None:
    shutil.copytree(demo_home / "data/demo", home / "data/demo", ignore=shutil.ignore_patterns("average"))
    run = Results(results.folder)
    run.__dict__["study"] = run.study.changed(dataset="demo")
    assert isinstance(subset_source(run), PublishedSubsets)
    engine = build_engine(Dataset.open("demo"), load_table(Dataset.open("demo")), progress=False)
    source = subset_source(run)
    assert isinstance(source, LiveSubsets)
    assert source is not None and source.compare("Smiling", "not Smiling").shared == 0
    facts = engine.folder / "engine.json"
    facts.write_text(facts.read_text().replace(engine.facts.fingerprint, "0" * 64))
    outdated = subset_source(run)
    assert isinstance(outdated, PublishedSubsets) and "older ingest" in outdated.reason
    assert average_folder(Dataset.open("demo")) == engine.folder


def test_a_malformed_manifest_leaves_the_published_subsets_and_says_so(home: Path, results: Results) -> None:
    run = Results(results.folder)
    run.__dict__["study"] = run.study.changed(dataset="bad")
    folder = home / "data/bad/average"
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text("{}")
    (home / "data/bad/manifest.parquet").write_bytes(b"not parquet")
    source = subset_source(run)
    assert isinstance(source, PublishedSubsets)
    assert "meanface ingest bad" in source.reason
    assert source.compare(FEMALE, MALE).first.count == 600
