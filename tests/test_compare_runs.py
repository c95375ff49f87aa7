"""Two runs are compared to the last digit, whatever the file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import write_results

from analysis.core.zarr_zip import read_zarr_zip, write_zarr_zip
from tools.compare_runs import differences


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_results(tmp_path_factory.mktemp("runs") / "before").folder)


@pytest.fixture
def after(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "after"))


def test_a_copy_does_not_differ_whatever_its_name_and_age(before: Path, after: Path) -> None:
    record = json.loads((after / "run.json").read_text())
    (after / "run.json").write_text(json.dumps(record | {"run": "other", "created": "later", "code": None}))
    assert list(differences(before, after)) == []


def test_last_digit_of_a_number_is_seen_and_accepted_where_it_is_allowed(before: Path, after: Path) -> None:
    path = after / "study/attributes.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "prevalence"] = np.nextafter(table.loc[0, "prevalence"], 1)
    table.to_parquet(path, index=False)
    (line,) = differences(before, after)
    assert line.startswith("study/attributes.parquet: prevalence: 1 of")
    assert list(differences(before, after, within=1e-12)) == []


def test_values_types_arrays_and_files_are_compared(before: Path, after: Path) -> None:
    hypothesis = json.loads((after / "study/hypothesis.json").read_text())
    (after / "study/hypothesis.json").write_text(json.dumps(hypothesis | {"permutations": 1.0, "more": 1}))
    averages = read_zarr_zip(after / "study/average_faces.zarr.zip")
    averages["count"][0] += 1
    write_zarr_zip(averages, after / "study/average_faces.zarr.zip")
    (after / "model/history.parquet").unlink()
    found = "\n".join(differences(before, after))
    for expected in ("hypothesis.json: permutations: ", "hypothesis.json: more is only in the second",
                     "average_faces.zarr.zip: count: 1 of 2 values differ", "history.parquet: only in"):  # fmt: skip
        assert expected in found
    assert found.count("\n") == 3
