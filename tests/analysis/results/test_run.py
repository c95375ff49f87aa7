"""A run as an object: where it lies, and what it has stored."""

from pathlib import Path

import pandas as pd
import pytest
from synthetic import write_results

from analysis.core.errors import UserError
from analysis.results import Run


def test_a_run_is_opened_by_name_before_it_has_results(home: Path) -> None:
    run = Run.open("new")
    assert run.folder == home / "runs" / "new"
    with pytest.raises(UserError, match="is missing"):
        _ = run.results.metrics


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "..\\x"])
def test_what_is_no_name_of_a_folder_is_no_name_of_a_run(home: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name of a run"):
        Run.open(name)


def test_the_published_run_knows_its_own_name(home: Path) -> None:
    write_results(home / "results")
    run = Run.published()
    assert (run.name, run.folder) == ("synthetic", home / "results")
    assert len(run.results.labels) == 6


def test_a_number_has_one_interval_also_beside_other_packages(tmp_path: Path) -> None:
    results = write_results(tmp_path / "run")
    metrics = results.metrics.sources["other"]["test"]
    ours = results.peers["system"] == "meanface"
    row = ours & (results.peers["source"] == "other") & (results.peers["feature"] == "all")
    results.peers.loc[row, ["images", "accuracy"]] = metrics.images, metrics.accuracy
    group = results.groups[results.groups["run"] == results.run.run].iloc[0]
    twin = results.peers[row].assign(source=group["source"], feature=group["feature"], group=group["group"])
    twin = twin.assign(images=group["images"], accuracy=group["accuracy"])
    missed = twin.assign(found=0.9)
    vars(results)["peers"] = pd.concat([results.peers, twin, missed], ignore_index=True)
    shown, stored = results.beside, results.peers
    assert (
        tuple(shown[row.reindex(shown.index, fill_value=False)][["low", "high"]].iloc[0]) == metrics.accuracy_interval
    )
    assert shown.iloc[-2][["low", "high"]].tolist() == group[["accuracy_low", "accuracy_high"]].tolist()
    assert shown.iloc[-1][["low", "high"]].tolist() == stored.iloc[-1][["low", "high"]].tolist()  # other images
    theirs = stored["system"] != "meanface"
    pd.testing.assert_frame_equal(shown[theirs], stored[theirs])
