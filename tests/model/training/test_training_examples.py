"""Several data sets at once: no person and no picture in two splits, whatever data set it is in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.data.dataset import Dataset
from analysis.data.ingest import ingest
from analysis.data.sources import register
from model.training.examples import load_split, source_names


def folder(path: Path, table: str, names: list[str], seed: int) -> Path:
    """Coarse noise that no detector takes for a face, so alignment falls back on CelebA's frame."""
    rng = np.random.default_rng(seed)
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))
        small.resize((89, 109), Image.Resampling.BICUBIC).save(path / name, quality=95)
    if table:
        (path / "identity_CelebA.txt").write_text(table)
    return path


@pytest.fixture
def two(home: Path, tmp_path: Path) -> None:
    names = [f"{split}/{label}/00000{number}.jpg" for number, (split, label) in enumerate(
        [("Train", "Male"), ("Train", "Female"), ("Test", "Male"), ("Test", "Female")])]  # fmt: skip
    first = folder(tmp_path / "first", "000000.jpg 1\n000001.jpg 2\n000002.jpg 3\n000003.jpg 4\n", names, 1)
    second = folder(tmp_path / "second", "000000.jpg 3\n000001.jpg 9\n000002.jpg 8\n000003.jpg 7\n", names, 2)
    (second / "Train/Female/000001.jpg").write_bytes((first / "Test/Female/000003.jpg").read_bytes())
    for name, path in (("first", first), ("second", second)):
        register(path, name)
        ingest(name, progress=False)


@pytest.mark.usefixtures("two")
def test_a_person_or_picture_that_one_set_tests_is_not_trained_on_from_another() -> None:
    assert len(load_split([Dataset.open("second")], "train")) == 2
    together = load_split([Dataset.open("first"), Dataset.open("second")], "train").table
    assert together["dataset"].tolist() == [
        "first",
        "first",
    ]  # the rest is in the first's test split
    assert len(load_split([Dataset.open("first"), Dataset.open("second")], "test")) == 4


def test_parts_of_a_data_set_have_names_of_their_own() -> None:
    table = pd.DataFrame({"dataset": ["a", "b", "b"], "source": [None, "press", None]})
    assert source_names(table).tolist() == ["a", "b, press", "b"]
    assert source_names(table[["dataset"]]).tolist() == ["a", "b", "b"]
