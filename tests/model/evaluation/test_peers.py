"""Answers of several programs to the same photos are counted as by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import write_results

from analysis.results.artifacts import PEERS
from model.evaluation.peers import peers, with_own_intervals


def photos(count: int, **columns: object) -> pd.DataFrame:
    label = np.where(np.arange(count) % 2 == 1, "male", "female")
    return pd.DataFrame({"dataset": "a", "split": "test", "label": label, **columns})


def answers(table: pd.DataFrame, *, wrong: range, unseen: range) -> np.ndarray:
    """Right answers but for some that are wrong, and some photos in which no face is found."""
    given = table["label"].to_numpy(object)
    other = np.where(given == "male", "female", "male").astype(object)
    given[list(wrong)] = other[list(wrong)]
    given[list(unseen)] = None
    return given


def test_accuracy_is_of_found_faces_and_the_difference_of_shared_ones() -> None:
    table = photos(100)
    first = answers(table, wrong=range(5), unseen=range(90, 95))
    second = answers(table, wrong=range(20), unseen=range(80, 100))
    found = peers(table, {"ours": first, "theirs": second}).query("feature == 'all'").set_index("system")
    ours, theirs = found.loc["ours"], found.loc["theirs"]
    assert (ours["found"], theirs["found"]) == (0.95, 0.8)
    assert ours["accuracy"] == pytest.approx(90 / 95) and theirs["accuracy"] == pytest.approx(60 / 80)
    assert theirs["low"] < 0.75 < theirs["high"]
    assert theirs["shared"] == 80 and theirs["difference"] == pytest.approx(15 / 80)
    assert theirs["difference_low"] < 15 / 80 < theirs["difference_high"]
    assert theirs["p_value"] == pytest.approx(2 / 2**15)
    assert pd.isna(ours["shared"]) and np.isnan(ours["difference"])


def test_a_program_that_finds_no_face_has_no_accuracy() -> None:
    table = photos(100, race=pd.array(["White"] * 60 + ["Black"] * 40, dtype="string"))
    first = answers(table, wrong=range(5), unseen=range(0))
    found = peers(table, {"ours": first, "theirs": answers(table, wrong=range(0), unseen=range(60, 100))})
    black = found.query("system == 'theirs' and group == 'Black'").iloc[0]
    assert (black["images"], black["found"]) == (40, 0)
    assert black[["accuracy", "low", "high", "difference", "p_value"]].isna().all() and black["shared"] == 0
    assert set(found["group"]) == {"all", "female", "male", "White", "Black"}
    PEERS.check(found.assign(milliseconds=1.0, sha256="a"))


def test_accuracy_on_a_handful_of_found_faces_is_not_told() -> None:
    table = photos(100)
    first = answers(table, wrong=range(5), unseen=range(0))
    found = peers(table, {"ours": first, "theirs": answers(table, wrong=range(0), unseen=range(19, 100))})
    row = found.query("system == 'theirs' and feature == 'all'").iloc[0]
    assert (row["found"], row["shared"]) == (0.19, 19)
    assert row[["accuracy", "low", "high", "difference", "difference_low", "p_value"]].isna().all()


def test_each_source_has_its_rows() -> None:
    table = pd.concat([photos(60), photos(60).assign(dataset="b")], ignore_index=True)
    found = peers(table, {"ours": answers(table, wrong=range(60, 70), unseen=range(0))}).query("feature == 'all'")
    assert found.set_index("source")["accuracy"].to_dict() == pytest.approx({"a": 1.0, "b": 50 / 60})


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
    stored = pd.concat([results.peers, twin, missed], ignore_index=True)
    shown = with_own_intervals(stored, results)
    assert (
        tuple(shown[row.reindex(shown.index, fill_value=False)][["low", "high"]].iloc[0]) == metrics.accuracy_interval
    )
    assert shown.iloc[-2][["low", "high"]].tolist() == group[["accuracy_low", "accuracy_high"]].tolist()
    assert shown.iloc[-1][["low", "high"]].tolist() == stored.iloc[-1][["low", "high"]].tolist()  # other images
    theirs = stored["system"] != "meanface"
    pd.testing.assert_frame_equal(shown[theirs], stored[theirs])
