"""Confounders, prediction, other data sets, controls and the verdict's rule."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_faces import made_faces

from analysis.core.people import accuracy_interval
from analysis.hypothesis import confounders, controls, elsewhere, prediction, verdict
from analysis.hypothesis.people import Photos, read_photos
from analysis.results.records import AverageAccuracy, Control, FalsePositiveRate, FalsePositives


def portraits(n: int, *, face: float, hair: float, seed: int = 0) -> Photos:
    """Noise photos of n people: Smiling, likelier of women, brightens all by ``hair``; being male only by ``face``."""
    rng = np.random.default_rng(seed)
    male = rng.random(n) < 0.5
    smiling = rng.random(n) < np.where(male, 0.3, 0.7)
    images = rng.normal(size=(n, 3, 54, 44)).astype(np.float32)
    images += (hair * smiling + face * male)[:, None, None, None]
    table = pd.DataFrame(
        {
            "label": np.where(male, "male", "female"),
            "person": np.arange(n),
            "kept": True,
            "Smiling": pd.array(smiling, dtype="boolean"),
            "Wearing_Lipstick": pd.array(~male & (rng.random(n) < 0.6), dtype="boolean"),
            "brightness": rng.normal(size=n),
        }
    )
    return Photos(images.reshape(n, -1), table, (54, 44))


def test_labels_that_share_no_cell_are_not_compared_within_cells() -> None:
    photos = portraits(200, face=0, hair=0)
    kinds = {"race": pd.DataFrame({"Race White": photos.male * 1.0, "Race Black": ~photos.male * 1.0})}
    assert "exact" not in [each.key for each in confounders.comparisons(kinds, photos.male)]


def left(photos: Photos) -> pd.DataFrame:
    found = confounders.survival(photos, permutations=99, resamples=40, rng=np.random.default_rng(1))
    return found.regions.query("region == 'face'").set_index("comparison")


def test_difference_that_is_all_confounder_does_not_survive() -> None:
    face = left(portraits(600, face=0.0, hair=1.0))
    assert face.loc["all", "mean_abs_g"] > 0.3
    for held in ("exact", "weights"):
        assert face.loc[held, "survives"] < 0.25
        assert face.loc[held, "mean_abs_g"] < 0.1


def test_difference_that_is_no_confounder_survives() -> None:
    face = left(portraits(600, face=0.5, hair=0.0))
    for held in ("exact", "weights", "bare", "bare_weights"):
        assert face.loc[held, "survives_low"] < 1.1
        assert face.loc[held, "survives"] > 0.8


def test_weights_balance_what_they_hold_equal() -> None:
    photos = portraits(600, face=0.3, hair=0.5)
    found = confounders.survival(photos, permutations=99, resamples=5, rng=np.random.default_rng(1))
    apart = found.balance.pivot(index="covariate", columns="comparison", values="difference").abs()
    assert apart.loc["Smiling", "all"] > 0.5
    assert apart.loc["Smiling", ["exact", "weights", "bare_weights"]].max() < 0.01
    assert apart.loc["Wearing_Lipstick", "weights"] > 0.5
    assert apart.loc["Wearing_Lipstick", "bare"] == 0
    told = {each.key: each for each in found.record.comparisons}
    assert told["weights"].effective["male"] < told["all"].effective["male"] == told["all"].people["male"]


def test_attribute_of_one_label_only_is_said_not_to_be_matchable() -> None:
    photos = portraits(400, face=0.3, hair=0.5)
    rows = confounders.overlap(confounders.covariates(photos.table), photos.male)
    matchable = {row.attribute: row.matchable for row in rows}
    assert matchable == {"Smiling": True, "Wearing_Lipstick": False}


def test_exact_cells_without_a_partner_count_for_nothing() -> None:
    male = np.array([True, False, False, True])
    weights = confounders.cell_weights(np.array([0, 0, 0, 1]), male, np.ones(4))
    np.testing.assert_allclose(weights, [2 / 3, 1 / 3, 1 / 3, 0])
    assert weights[male].sum() == pytest.approx(weights[~male].sum())


def test_ages_and_races_are_held_equal_where_they_are_known() -> None:
    table = pd.DataFrame({"age": [5, 25, 45, 70], "race": ["White", "Black", "White", "Other"], "brightness": 0.5})
    kinds = confounders.covariates(table)
    assert list(kinds) == ["age", "race", "brightness"]
    assert kinds["age"].sum(axis=1).tolist() == [1, 1, 1, 1]
    assert list(confounders.covariates(table.drop(columns=["age", "race"]))) == ["brightness"]


def test_difference_is_learned_from_train_and_proved_on_test() -> None:
    photos = read_photos(*made_faces(400, shift=30), rng=np.random.default_rng(0))
    found = prediction.accuracies(prediction.fit(photos), photos, rng=np.random.default_rng(0))
    for rule in (found.nearest_average, found.discriminant):
        low, high = rule.interval
        assert rule.images == 120
        assert 0.8 < low <= rule.accuracy <= high
    nothing = read_photos(*made_faces(400, shift=0), rng=np.random.default_rng(0))
    guessed = prediction.accuracies(prediction.fit(nothing), nothing, rng=np.random.default_rng(0))
    low, high = guessed.discriminant.interval
    assert low < 0.5 < high


def test_accuracy_interval_resamples_people() -> None:
    right = pd.Series([True] * 90 + [False] * 10)
    alone = accuracy_interval(right, None, rng=np.random.default_rng(0))
    grouped = accuracy_interval(right, pd.Series(np.arange(100) // 10), rng=np.random.default_rng(0))
    assert alone[0] < 0.9 < alone[1]
    assert grouped[1] - grouped[0] > alone[1] - alone[0]
    assert accuracy_interval(pd.Series([True] * 5), None, rng=np.random.default_rng(0)) == (1.0, 1.0)


def test_same_difference_elsewhere_correlates_and_another_does_not() -> None:
    rng = np.random.default_rng(0)
    own = read_photos(*made_faces(400, shift=30), rng=rng)
    same = read_photos(*made_faces(400, shift=20, seed=1), rng=rng)
    nothing = read_photos(*made_faces(400, shift=0, seed=2), rng=rng)
    found = elsewhere.compare(own, {"same": same, "nothing": nothing}, resamples=60, rng=rng)
    whole = found.table.query("channel == 'L'").set_index("dataset")
    assert whole.loc["same", "low"] > 0.8
    assert whole.loc["nothing", "low"] < 0 < whole.loc["nothing", "high"]
    assert found.maps.shape == (2, 3, 6, 6)


def test_elsewhere_tells_ages_and_races_with_enough_people() -> None:
    rng = np.random.default_rng(0)
    faces, manifest = made_faces(600, shift=30)
    manifest = manifest.drop(columns="identity").assign(
        age=pd.array(np.where(np.arange(600) < 400, 25, 70), dtype="Int64"),
        race=np.where(np.arange(600) < 580, "White", "Other"),
    )
    found = elsewhere.compare(
        read_photos(faces, manifest, rng=rng), {"x": read_photos(faces, manifest, rng=rng)}, resamples=10, rng=rng
    )
    assert found.table["group"].unique().tolist() == ["everybody", "20–39", "60 and over", "White"]


def test_false_alarms_are_as_rare_as_they_should_be_only_with_people_for_the_unit() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(80), 5)
    own = rng.normal(size=(80, 3 * 16))[people]  # photos of one person are alike
    table = pd.DataFrame({"label": np.where(people % 2, "male", "female"), "person": people, "kept": True})
    photos = Photos((own + 0.3 * rng.normal(size=own.shape)).astype(np.float32), table, (4, 4))
    found = controls.false_positives(photos.by_person(), photos, splits=200, permutations=300, rng=rng)
    low, high = found.by_identity.interval
    assert low < 0.05 < high
    assert found.by_identity.splits == 200
    assert found.by_photo.interval[0] > 0.3


def false_alarms(low: float, high: float) -> FalsePositives:
    rate = FalsePositiveRate(hits=10, splits=200, rate=0.05, interval=(low, high))
    return FalsePositives(alpha=0.05, permutations=200, by_identity=rate)


SOUND = {name: Control(p_value=p, max_abs_g=0.1) for name, p in {"a": 0.5, "b": 0.2, "c": 0.4}.items()}
LARGE = verdict.Size(p_value=0.001, g=-0.5, critical=0.15, standard_error=0.04)
GOOD = AverageAccuracy(
    accuracy=0.7,
    interval=(0.65, 0.75),
    images=400,
    split="test",
    balanced=0.69,
    balanced_interval=(0.63, 0.74),
    majority=0.6,
)
HELD = {"sound": True, "size": LARGE, "strictest": LARGE, "accuracy": GOOD, "elsewhere": True}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "supported"),
        ({"strictest": None, "accuracy": None, "elsewhere": None}, "supported"),
        ({"sound": False}, "inconclusive"),
        ({"size": verdict.Size(0.3, 0.06, 0.12, 0.03)}, "no difference"),
        ({"size": verdict.Size(0.3, 0.06, 0.12, 0.03), "sound": False}, "inconclusive"),
        ({"size": verdict.Size(0.3, 0.3, 0.4, 0.15)}, "inconclusive"),  # too few people to exclude a difference
        ({"size": verdict.Size(0.001, 0.11, 0.1, 0.02)}, "not worth speaking of"),
        ({"size": verdict.Size(0.001, 0.25, 0.1, 0.03)}, "inconclusive"),  # it may or may not be large enough
        ({"strictest": verdict.Size(0.001, 0.3, 0.15, 0.1)}, "inconclusive"),
        ({"accuracy": GOOD.changed(interval=(0.59, 0.75))}, "inconclusive"),  # no better than the more frequent label
        ({"accuracy": GOOD.changed(balanced_interval=(0.49, 0.74))}, "inconclusive"),
        ({"elsewhere": False}, "inconclusive"),
    ],
)
def test_verdict_follows_its_rule(changed: dict[str, Any], said: str) -> None:
    given = HELD | changed
    assert verdict.decide(verdict.criteria(**given), given["size"]) == said


@pytest.mark.parametrize(
    ("controls", "alarms", "sound"),
    [
        (SOUND, false_alarms(0.02, 0.08), True),
        (SOUND, None, True),
        (SOUND | {"b": Control(p_value=0.001, max_abs_g=1)}, None, False),
        (SOUND, false_alarms(0.07, 0.2), False),
    ],
)
def test_a_test_is_sound_if_nothing_is_found_where_nothing_is(
    controls: dict[str, Control], alarms: FalsePositives | None, sound: bool
) -> None:
    assert verdict.is_sound(controls, alarms) is sound


def test_correlation_of_maps_is_corrected_for_noise_and_honest_without_signal() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 400))
    covered, found = 0, []
    for _ in range(100):
        samples = truth * [[1], [0]] + rng.normal(size=truth.shape)
        maps = [np.vstack([each, each + rng.normal(size=(100, 400))]) for each in samples]
        _, low, high = elsewhere.correlation(*maps)
        covered += low <= 0 <= high
        alike = [truth[0] + rng.normal(size=400) for _ in range(2)]  # half of each map is noise: plainly r is 0.5
        maps = [np.vstack([each, each + rng.normal(size=(100, 400))]) for each in alike]
        found.append(elsewhere.correlation(*maps)[0])
    assert covered >= 90
    assert np.mean(found) == pytest.approx(1, abs=0.06)
