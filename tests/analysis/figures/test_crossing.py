"""Accuracy where two groupings cross."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures.crossing import crossed_accuracy, crossed_reading, grouped, groupings


@pytest.fixture
def rows() -> pd.DataFrame:
    """Sixty faces: 30 young, of which 10 are wrong; 20 old, all right; 10 of unknown age."""
    table = pd.DataFrame(
        {
            "label": ["male", "female"] * 30,
            "dataset": "one",
            "age": pd.array([5] * 30 + [70] * 20 + [pd.NA] * 10, dtype="Int64"),
            "Smiling": pd.array([True] * 40 + [False] * 20, dtype="boolean"),
            "Heavy_Makeup": pd.array([True, False, pd.NA] * 20, dtype="boolean"),
            "Wearing_Lipstick": pd.array([False] * 60, dtype="boolean"),
            "decision": ["uncertain"] * 15 + ["male", "female"] * 22 + ["male"],
        }
    )
    table["p_male"] = np.where(table["label"] == "male", 0.9, 0.1)
    table.loc[:9, "p_male"] = 1 - table.loc[:9, "p_male"]
    return table


def test_shares_are_counted_with_their_intervals(rows: pd.DataFrame) -> None:
    cells = crossed_accuracy(rows, "age", "age")
    assert cells["first"].tolist() == ["0-9", "60+"]  # in the order of ages, unknown ages left out
    young, old = cells.to_dict("records")
    assert (young["images"], old["images"]) == (30, 20)
    assert young["accuracy"] == pytest.approx(2 / 3) and old["accuracy"] == 1
    assert young["low"] < 2 / 3 < young["high"] and old["high"] == pytest.approx(1)
    assert young["undecided"] == 0.5
    said = crossed_reading(cells)
    assert (
        "50 faces of which both groups are known 80.0 %" in said
        and "Lowest: 0-9, 66.7 %" in said
        and "highest: 60+, 100.0 %" in said
    )


def test_a_cell_of_few_faces_has_a_count_and_no_share(rows: pd.DataFrame) -> None:
    cells = crossed_accuracy(rows, "age", "Smiling").set_index(["first", "second"])
    assert cells.loc[("60+", "no"), "images"] == 10 and np.isnan(cells.loc[("60+", "no"), "accuracy"])
    assert "No pair" in crossed_reading(crossed_accuracy(rows.head(10), "label", "age"))


def test_only_what_differs_is_offered_and_style_is_known_of_both_attributes(rows: pd.DataFrame) -> None:
    assert groupings(rows) == {
        "Label": "label",
        "Age": "age",
        "Style": "style",
        "Smiling": "Smiling",
        "Heavy Makeup": "Heavy_Makeup",
    }
    assert grouped(rows, "style").head(3).tolist()[:2] == ["styled", "not styled"]
    assert grouped(rows, "style").isna().sum() == 20


def test_faces_without_a_score_are_left_out(rows: pd.DataFrame) -> None:
    rows.loc[30:, "p_male"] = np.nan
    assert crossed_accuracy(rows, "label", "label")["images"].sum() == 30
