"""Averages of subsets: exact sums, the quick engine's agreement, differences and their errors, and small subsets."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from typer.testing import CliRunner

from analysis.average_command import average_subsets, choose_engine
from analysis.averages import fit
from analysis.averages.base import compare
from analysis.averages.compressed import CompressedEngine, open_engine
from analysis.averages.exact import ExactEngine, average_faces, moments
from analysis.averages.filters import count_people, load_table, select
from analysis.averages.fit import build_engine
from analysis.averages.gallery import build_gallery, measure_agreement, named_subsets
from analysis.averages.source import LiveSubsets
from analysis.commands import app
from analysis.core.errors import UserError
from analysis.core.zarr_zip import read_zarr_zip, write_zarr_zip
from analysis.data.dataset import Dataset


@pytest.fixture(scope="module")
def table(demo_home: Path) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        return load_table(Dataset.open("demo"))


@pytest.fixture(scope="module")
def faces(demo_home: Path) -> xr.DataArray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        return Dataset.open("demo").faces


@pytest.fixture(scope="module")
def quick(demo_home: Path, table: pd.DataFrame) -> CompressedEngine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        return build_engine(Dataset.open("demo"), table, exact_below=40, progress=False)


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """Root-mean-square difference in grey levels (0 to 255)."""
    return float(255 * np.sqrt(np.mean((first.astype(float) - second) ** 2)))


def test_moments_are_those_of_numpy_for_overlapping_subsets_and_any_chunks(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (700, 3, 2, 3)).astype(np.uint8)
    members = rng.random((70, 700)) < 0.4  # more subsets than one pass takes
    array = xr.DataArray(pixels, dims=("image", "y", "x", "channel"))
    results = [moments(each, members) for each in (array, array.chunk(image=600), array.chunk(image=90, x=1))]
    for count, mean, spread in results:
        np.testing.assert_array_equal(count, members.sum(axis=1))
        np.testing.assert_allclose(mean[5], pixels[members[5]].mean(axis=0) / 255, rtol=1e-6)
        np.testing.assert_allclose(spread[69], pixels[members[69]].std(axis=0, ddof=1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(results[0][1], results[2][1])


def test_sums_of_white_faces_are_exact() -> None:
    white = xr.DataArray(np.full((1000, 2, 2, 3), 255, np.uint8), dims=("image", "y", "x", "channel"))
    found = ExactEngine(white).average(np.ones(1000, dtype=bool))
    assert (found.mean == 1).all() and (found.spread == 0).all()


def test_chunks_without_a_face_of_the_subset_are_not_read(rng: np.random.Generator) -> None:
    def block(block_info=None):
        assert block_info[None]["chunk-location"][0] == 1, "another chunk was read"
        return np.zeros((10, 2, 2, 3), np.uint8)

    import dask.array as da

    lazy = da.map_blocks(block, chunks=((10,) * 3, (2,), (2,), (3,)), dtype=np.uint8)
    rows = np.zeros(30, dtype=bool)
    rows[12:18] = True
    assert ExactEngine(xr.DataArray(lazy, dims=("image", "y", "x", "channel"))).average(rows).count == 6


def test_average_faces_of_groups_leave_out_those_without_one(rng: np.random.Generator) -> None:
    faces = xr.DataArray(rng.integers(0, 256, (9, 2, 2, 3)).astype(np.uint8), dims=("image", "y", "x", "channel"))
    groups = pd.Series(["b", "a", None] * 3)
    found = average_faces(faces, groups)
    assert found["label"].values.tolist() == ["a", "b"]
    np.testing.assert_allclose(found["mean"].sel(label="a"), faces[1::3].mean("image") / 255, rtol=1e-6)
    np.testing.assert_allclose(found["sem"], found["spread"] / np.sqrt(3), rtol=1e-6)
    with pytest.raises(UserError, match="single face"):
        average_faces(faces, pd.Series(["a"] + [None] * 8))
    with pytest.raises(UserError, match="empty"):
        average_faces(faces, pd.Series([None] * 9))


@pytest.mark.parametrize("expression", ["", "label == 'male'", "label == 'female' and Smiling", "Young"])
def test_quick_mean_is_within_a_step_of_the_exact_one(
    quick: CompressedEngine, faces: xr.DataArray, table: pd.DataFrame, expression: str
) -> None:
    rows = select(table, expression)
    estimate, exact = quick.average(rows), ExactEngine(faces).average(rows)
    assert estimate.count == exact.count >= quick.facts.exact_below
    assert 0 < apart(estimate.mean, exact.mean) < 1
    assert apart(estimate.spread, exact.spread) < 2


def test_quick_engine_reads_the_faces_of_small_subsets(
    quick: CompressedEngine, faces: xr.DataArray, rng: np.random.Generator
) -> None:
    rows = np.zeros(400, dtype=bool)
    rows[rng.choice(400, 39, replace=False)] = True
    estimate, exact = quick.average(rows), ExactEngine(faces).average(rows)
    np.testing.assert_allclose(estimate.mean, exact.mean, atol=1e-6)
    np.testing.assert_allclose(estimate.spread, exact.spread, atol=1e-6)


def test_quick_engine_gives_the_same_from_the_rest_as_from_the_subset(quick: CompressedEngine) -> None:
    rows = np.arange(400) < 190
    direct, count = quick._sum(rows, 190), 210
    np.testing.assert_array_equal(quick._totals - direct, quick._sum(~rows, count))


@pytest.mark.slow
def test_components_are_made_the_same_again(demo_home: Path, table, quick, monkeypatch) -> None:
    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    before = (quick.folder / "codes.u8").read_bytes()
    again = build_engine(Dataset.open("demo"), table, exact_below=40, progress=False)
    assert (again.folder / "codes.u8").read_bytes() == before


def test_components_of_an_older_ingest_are_refused(demo_home: Path, quick, monkeypatch) -> None:
    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    assert open_engine(Dataset.open("demo")).facts == quick.facts
    facts = quick.folder / "engine.json"
    kept = facts.read_text()
    try:
        facts.write_text(kept.replace(quick.facts.fingerprint, "0" * 64))
        with pytest.raises(UserError, match="older ingest"):
            open_engine(Dataset.open("demo"))
    finally:
        facts.write_text(kept)
    with pytest.raises(UserError, match="meanface study nothing"):
        open_engine(Dataset.open("nothing"))


def test_standard_error_of_a_difference_is_that_of_repeated_draws(rng: np.random.Generator) -> None:
    first, second = np.arange(60) < 40, np.arange(60) >= 20  # 20 faces in both
    differences, errors = [], []
    for _ in range(300):
        pixels = rng.normal(120, 30, (60, 4, 4, 3)).clip(0, 255).astype(np.uint8)
        found = compare(ExactEngine(xr.DataArray(pixels, dims=("image", "y", "x", "channel"))), first, second)
        assert found.shared == 20
        differences.append(found.difference)
        errors.append(found.sem)
    assert np.mean(errors) == pytest.approx(np.std(differences, axis=0).mean(), rel=0.05)


def test_a_subset_differs_from_itself_by_nothing(quick: CompressedEngine, table: pd.DataFrame) -> None:
    rows = select(table, "Smiling")
    found = compare(quick, rows, rows)
    assert np.abs(found.difference).max() == 0
    assert found.sem.max() < 1e-3


@pytest.mark.parametrize(
    ("size", "said"), [(0, "is empty"), (1, "a single face"), (15, "15 faces: an average of fewer")]
)
def test_a_subset_of_fewer_than_16_is_not_averaged_and_says_why(faces: xr.DataArray, size: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(ExactEngine(faces), np.arange(400) < size, np.ones(400, dtype=bool))


def test_named_subsets_hold_16_people_or_more(table: pd.DataFrame) -> None:
    named = named_subsets(table)
    assert {"all faces", "female", "male", "male, smiling"} <= set(named)
    for filter_ in named.values():
        assert count_people(table, select(table, filter_)) >= 16
    few = table.assign(identity=pd.array([1] * len(table), dtype="Int64"))
    assert named_subsets(few) == {}


def test_many_faces_of_few_people_are_not_averaged(table: pd.DataFrame, quick: CompressedEngine) -> None:
    of_fifteen = table.assign(identity=pd.array([n % 15 for n in range(len(table))], dtype="Int64"))
    with pytest.raises(UserError, match="the first subset has 200 faces of 15 people: an average of fewer than 16"):
        LiveSubsets(of_fifteen, quick).compare("label == 'male'", "")
    of_sixteen = table.assign(identity=pd.array([n % 32 for n in range(len(table))], dtype="Int64"))
    assert LiveSubsets(of_sixteen, quick).compare("label == 'male'", "").first.count == 200


def test_gallery_keeps_its_precision_when_written(demo: Path, table: pd.DataFrame, faces, tmp_path: Path) -> None:
    gallery = build_gallery(Dataset.open("demo"), table, progress=False)
    write_zarr_zip(gallery, tmp_path / "subsets.zarr.zip")
    read = read_zarr_zip(tmp_path / "subsets.zarr.zip").sel(subset="male, smiling")
    exact = ExactEngine(faces).average(select(table, str(read["filter"].item())))
    assert int(read["count"]) == exact.count
    assert 255 * np.abs(read["mean"] - exact.mean).max() < 0.07
    assert 255 * np.abs(read["spread"] - exact.spread).max() < 0.13


def test_agreement_reports_the_worst_subset(demo: Path, table: pd.DataFrame, quick: CompressedEngine) -> None:
    found = measure_agreement(Dataset.open("demo"), table, quick, progress=False)
    assert 0 < found.median_mean <= found.worst_mean < 3  # 280 faces are few to fit on
    assert found.subsets > 20
    assert found.worst_subset_count >= found.exact_below == 40


def test_a_data_set_too_small_to_be_estimated_has_nothing_to_compare(demo_home, table, quick, monkeypatch) -> None:
    small = CompressedEngine(quick.folder)
    small.facts = fit.Facts(**{**vars(quick.facts), "exact_below": 500})
    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    assert measure_agreement(Dataset.open("demo"), table, small, progress=False).subsets == 0


def test_command_tells_counts_and_writes_a_picture_and_numbers(demo: Path, quick, tmp_path: Path) -> None:
    picture, numbers = tmp_path / "faces.png", tmp_path / "faces.zarr.zip"
    lines = average_subsets(Dataset.open("demo"), "label == 'male'", "label == 'female'", output=picture)
    assert lines[0].startswith("label == 'male': 200 faces of 200 people")
    assert "root mean square" in lines[2]
    assert Image.open(picture).size == (2 * 89, 109)
    average_subsets(Dataset.open("demo"), "Smiling", "", engine="exact", output=numbers)
    found = read_zarr_zip(numbers)
    assert found["count"].values.tolist() == [found.attrs["shared"], 400]
    assert found["difference"].shape == (109, 89, 3)


def test_faces_that_are_cut_short_while_the_engine_is_open_are_not_averaged(
    quick: CompressedEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "average"
    shutil.copytree(quick.folder, folder)
    cut = CompressedEngine(folder)
    with (folder / "pixels.u8").open("r+b") as file:
        file.truncate(quick.facts.values * quick.facts.images - 1)
    rows = np.zeros(quick.facts.images, bool)
    rows[:20] = True
    assert cut.average(rows).count == 20
    rows[-1] = True
    with pytest.raises(UserError, match="cut short: run `meanface study"):
        cut.average(rows)


def test_command_takes_the_quick_engine_where_it_was_made(demo: Path, quick: CompressedEngine, monkeypatch) -> None:
    assert isinstance(choose_engine(Dataset.open("demo")), CompressedEngine)
    assert isinstance(choose_engine(Dataset.open("demo"), "exact"), ExactEngine)
    kept = quick.folder.rename(quick.folder.with_name("away"))
    try:
        assert isinstance(choose_engine(Dataset.open("demo")), ExactEngine)
    finally:
        kept.rename(quick.folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "meanface ingest nothing"),
        (["demo", "identity == 1"], "a single face"),
        (["demo", "Bald and Smiling and Eyeglasses and Wavy_Hair"], "is empty"),
        (["demo", "--output", "faces.jpg"], "neither .png nor .zarr.zip"),
    ],
)
def test_command_says_what_to_do(demo: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["average", *arguments])
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
