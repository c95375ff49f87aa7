"""Filters: what they select, what they refuse, and that nothing in them is ever executed."""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import write_results

from analysis.averages.filters import count_people, load_table, select
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset

TABLE = pd.DataFrame(
    {
        "status": ["ok"] * 7 + ["no_face"],
        "label": pd.Categorical(["female", "male"] * 4),
        "split": pd.Categorical(["train"] * 4 + ["test"] * 4),
        "identity": pd.array([1, 1, 2, 2, 3, 3, None, 4], dtype="Int64"),
        "age": pd.array([5, 19, 20, 39, 40, 59, None, 80], dtype="Int64"),
        "Smiling": pd.array([True, True, False, False, True, False, None, True], dtype="boolean"),
        "5_o_Clock_Shadow": pd.array([False, True] * 4, dtype="boolean"),
        "confidence": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, np.nan, 0.9],
        "eye colour": pd.Categorical(["brown", "blue", "grey", None] * 2),
        "3d": pd.array([True, False] * 4, dtype="boolean"),
        "column_0": pd.array([1.5, 2.5] * 4, dtype="Float64"),
    }
)


def chosen(expression: str) -> list[int]:
    return np.flatnonzero(select(TABLE, expression)).tolist()


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("label == 'male'", [1, 3, 5]),
        ("'male' == label", [1, 3, 5]),
        ("label != 'male' and split == 'train'", [0, 2]),
        ("Smiling", [0, 1, 4]),
        ("Smiling == 1 and label == 'male'", [1]),
        ("not Smiling", [2, 3, 5]),
        ("5_o_Clock_Shadow and identity in (1, 2)", [1, 3]),
        ("`5_o_Clock_Shadow` == False", [0, 2, 4, 6]),
        ("20 <= age < 40", [2, 3]),
        ("40 > age", [0, 1, 2, 3]),
        ("age not in [5, 19]", [2, 3, 4, 5]),
        ("confidence != 0.5", [1, 2, 3, 4, 5]),
        ("(age < 10 or age > 50) and not label == 'female'", [5]),
        ("`eye colour` in ('brown', 'grey') and 3d", [0, 2, 4, 6]),
        ("`5_o_Clock_Shadow` and column_0 > 2", [1, 3, 5]),
    ],
)
def test_filters_select_usable_rows_that_are_known_to_fit(expression: str, rows: list[int]) -> None:
    assert chosen(expression) == rows


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("label == 'Male'", "there are 'female', 'male'"),
        ("label > 'a'", "has no order"),
        ("smilling", "did you mean Smiling"),
        ("`eye color` == 'blue'", "did you mean eye colour"),
        ("Young", "has no value of it"),
        ("Smiling == 2", "yes or no"),
        ("age == 'old'", "is a number"),
        ("age", "compare it with a value"),
        ("age + 1 > 5", "is not a column"),
        ("label in 'male'", "in brackets"),
        ("label is 'male'", "compares by"),
        ("status == 'ok'", "no column"),
        ("label ==", "cannot be read"),
        ("label == 'male' " * 100, "over 500 characters"),
        ("(" * 400, "cannot be read"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_in_one_line(expression: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        select(TABLE, expression)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').mkdir('{}')",
        "label == __import__('os').mkdir('{}')",
        "@pd.io.common.os.mkdir('{}')",
        "label.map(lambda x: x)",
        "[x for x in ().__class__.__bases__]",
        "label == f'{{1 + 1}}'",
        "(label := 'male')",
        "age ** 9 ** 9 ** 9 > 1",
    ],
)
def test_nothing_in_a_filter_is_executed(attack: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(UserError):
        select(TABLE, attack.format(made))
    assert not made.exists()


@given(st.text(max_size=60))
def test_any_text_is_either_a_filter_or_refused_as_the_users_mistake(expression: str) -> None:
    with contextlib.suppress(UserError):
        assert select(TABLE, expression).dtype == bool


def test_people_are_counted_where_identities_are_known() -> None:
    assert count_people(TABLE, select(TABLE, "label == 'female'")) == 4  # of whom one is unknown
    assert count_people(TABLE.drop(columns="identity"), select(TABLE, "")) is None


def test_scores_of_a_run_are_joined_by_image(demo: Path, tmp_path: Path, monkeypatch) -> None:
    results = write_results(tmp_path / "run")
    scores = results.predictions.head(3).assign(dataset="demo", image_id=["000001.jpg", "000002.jpg", "none.jpg"])
    monkeypatch.setenv("MEANFACE_RESULTS", str(results.folder))
    assert "p_male" not in load_table(Dataset.open("demo"))  # whatever is published
    table = load_table(Dataset.open("demo"), scores)
    assert table["p_male"].notna().sum() == 2
    assert table["confidence"].dropna().between(0.5, 1).all()
    assert select(table, "confidence >= 0.5").sum() == 2


def test_further_columns_of_a_table_of_labels_can_be_filtered_by(home: Path) -> None:
    folder = home / "data/street"
    folder.mkdir(parents=True)
    pd.DataFrame(
        {
            "image_id": ["1.jpg", "2.jpg", "3.jpg"],
            "label": "male",
            "split": "train",
            "status": "ok",
            "hash": ["a", "b", "c"],
            "source_path": ["1.jpg", "2.jpg", "3.jpg"],
            "city": ["Bonn", "Rome", None],
            "lens": pd.array([35.0, 50.0, 35.0], dtype="Float64"),
            "indoors": pd.array([True, False, None], dtype="boolean"),
            "empty": pd.array([None] * 3, dtype="string"),
        }
    ).to_parquet(folder / "manifest.parquet")
    table = load_table(Dataset.open("street"))
    assert select(table, "city == 'Bonn' or lens > 40").tolist() == [True, True, False]
    assert select(table, "not indoors").tolist() == [False, True, False]
    for column in ("hash", "source_path", "image_id", "empty"):  # the manifest's own, and one without a value
        with pytest.raises(UserError, match=f"no column is called {column}"):
            select(table, f"{column} == 'a'")


def test_a_column_of_many_values_lists_the_first() -> None:
    many = TABLE.assign(
        city=pd.Categorical([f"city {number}" for number in range(8)], [f"city {n}" for n in range(40)])
    )
    with pytest.raises(UserError, match="'city 11' and 28 more$"):
        select(many, "city == 'Bonn'")


def test_age_bands_follow_ages(home: Path) -> None:
    folder = home / "data/aged"
    folder.mkdir(parents=True)
    ages = [0, 9, 10, 39, 40, 60, 116]
    pd.DataFrame(
        {
            "image_id": [f"{age}.jpg" for age in ages],
            "label": "male",
            "split": "train",
            "status": "ok",
            "hash": "",
            "age": pd.array(ages, dtype="Int64"),
        }
    ).to_parquet(folder / "manifest.parquet")
    assert load_table(Dataset.open("aged"))["age_band"].tolist() == [
        "0-9",
        "0-9",
        "10-19",
        "20-39",
        "40-59",
        "60+",
        "60+",
    ]
