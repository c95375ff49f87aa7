"""A data set as an object: read once, when it is asked for, and the same wherever it is passed."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset


def test_a_data_set_is_read_once_however_often_it_is_asked(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda *args, **options: (reads.append(1), real(*args, **options))[1])
    dataset = Dataset.open("demo")
    assert not reads
    assert dataset.manifest is dataset.manifest
    assert dataset.faces is dataset.faces
    assert len(reads) == 1


def test_what_is_known_of_a_data_set_belongs_together(demo: Path) -> None:
    dataset = Dataset.open("demo")
    assert len(dataset.manifest) == dataset.faces.sizes["image"] == dataset.facts.images == 400
    assert dataset.usable.sum() == dataset.facts.status["ok"]
    assert dataset.fingerprint == dataset.facts.fingerprint
    assert dataset.source.images["image_id"].tolist() == dataset.manifest["image_id"].tolist()


def test_two_openings_of_one_data_set_are_equal_and_of_another_not(demo: Path, tmp_path: Path, monkeypatch) -> None:
    first, again = Dataset.open("demo"), Dataset.open("demo")
    assert first == again and hash(first) == hash(again)
    assert first != Dataset.open("other")
    monkeypatch.setenv("MEANFACE_DATA", str(tmp_path))
    assert first != Dataset.open("demo")  # of the same name, in another place


@pytest.mark.parametrize("part", ["facts", "manifest", "faces"])
def test_a_data_set_that_was_not_ingested_says_what_to_run(home: Path, part: str) -> None:
    dataset = Dataset.open("nothing")
    with pytest.raises(UserError, match="run `meanface fetch PATH --name nothing`, then `meanface ingest nothing`"):
        getattr(dataset, part)
    (home / "data/nothing").mkdir(parents=True)
    (home / "data/nothing/source.json").write_text("{}")
    with pytest.raises(UserError, match="run `meanface ingest nothing` first"):
        getattr(dataset, part)
